"""Packing of submissions."""
