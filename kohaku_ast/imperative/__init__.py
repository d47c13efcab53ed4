"""Pipelines whose steps are called by plain Python code, with ``if`` and ``for``."""
