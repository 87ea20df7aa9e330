"""From templates to results: likelihood, fits, toys, intervals and the proof that the intervals cover."""
