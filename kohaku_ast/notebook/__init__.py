"""Notebooks: read as scripts, run as scripts, and executed in a kernel."""
