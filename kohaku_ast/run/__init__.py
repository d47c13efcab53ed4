"""Runs compiled Programs: here, in fresh processes, faithfully."""
