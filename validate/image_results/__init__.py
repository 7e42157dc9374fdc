"""Judging what a model made: a folder or zip of result pictures."""
