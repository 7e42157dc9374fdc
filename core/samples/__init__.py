"""Small free photographs, laid out as the challenges lay out their data."""
