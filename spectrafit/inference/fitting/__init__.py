"""Fits of a likelihood: the minimum, its covariance, errors, profiles, contours and impacts."""
