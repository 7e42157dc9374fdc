"""pixelproof: from an image-restoration checkpoint to a submission that a challenge accepts."""

__version__ = "0.1.0"
