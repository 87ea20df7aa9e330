"""The compiled inner loops of the likelihood and of its minimisation. They work on arrays alone."""
