"""Limits and intervals on the parameter of interest, one module per method."""
