"""What a TFLite file holds, what its operations cost, and what phones think of it."""
