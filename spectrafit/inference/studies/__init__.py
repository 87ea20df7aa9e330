"""Questions about an analysis as a whole: coverage and sensitivity."""
