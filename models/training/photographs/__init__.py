"""Free photographs to train on: fetched, checked, prepared."""
