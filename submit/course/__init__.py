"""What the course challenges want handed in."""
