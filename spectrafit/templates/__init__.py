"""`Events` in, `Templates` out: observables, regions, weights, the fill, systematics and what is kept on disk."""
