"""The start of a user: the shipped samples and fits, and a first analysis proposed for ntuples of one's own."""

__all__: list[str] = []
