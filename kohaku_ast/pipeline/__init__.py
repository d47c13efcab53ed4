"""Graphs of functions, scripts and pipelines."""
