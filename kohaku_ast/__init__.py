"""Runs an unmodified script as if its definitions had been edited."""
