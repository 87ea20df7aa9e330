"""The page on which a user tunes an analysis by hand: its binning, exposure, priors and systematics."""
