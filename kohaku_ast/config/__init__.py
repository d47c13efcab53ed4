"""Overrides as values: read from text and files, merged, multiplied into sweeps."""
