"""Architectures, foreign weights, training."""
