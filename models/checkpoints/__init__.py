"""Foreign weights into Keras models."""
