"""What a model file holds, found before anything loads it; one format a file. Runs in the locked child."""
