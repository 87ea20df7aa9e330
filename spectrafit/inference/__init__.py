"""`Templates` in, `FitResult` and `Limit` out: likelihood, fits, toys, intervals and the proof that they cover."""
