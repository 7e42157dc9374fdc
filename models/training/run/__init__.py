"""A training run: its folder, checkpoints, loop and commands."""
