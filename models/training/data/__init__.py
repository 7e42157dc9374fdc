"""What a trainer learns from: kinds of data, one a file."""
