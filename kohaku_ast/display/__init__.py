"""Rows in, text for a terminal or a file out."""
