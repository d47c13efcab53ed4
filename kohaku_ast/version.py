"""The version, which is read here at no cost (importlib.metadata takes 36 ms)."""

VERSION = "0.1.0"
"""As in the package's metadata."""
