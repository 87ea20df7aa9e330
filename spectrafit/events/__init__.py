"""ROOT ntuples and fluxes in, `Events` in canonical columns out, and trees written back."""
