"""The compiled inner loops of the likelihood and its minimisation: arrays in, arrays out, numba only."""
