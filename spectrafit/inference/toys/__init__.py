"""Thrown experiments: ensembles, banks of fitted toys, and the goodness of fit from toys."""
