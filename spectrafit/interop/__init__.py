"""Converts models and templates to the files of other tools and back: ROOT histograms, HistFactory workspaces."""
