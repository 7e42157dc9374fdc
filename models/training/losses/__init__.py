"""Losses by name, their sums, and the features of VGG-19."""
