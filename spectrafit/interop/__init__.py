"""Our nouns in, other tools' files out, and back: ROOT histograms, HistFactory workspaces."""
