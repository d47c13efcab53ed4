"""Pipelines as pictures and as words."""
