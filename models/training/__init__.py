"""Training recipes and the trainer."""
