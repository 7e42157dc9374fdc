"""What a participant would run without pixelproof."""
