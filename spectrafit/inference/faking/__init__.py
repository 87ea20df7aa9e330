"""Making the data that `spectrafit.inference.fake` names: counts at chosen parameters, and of another simulation."""
