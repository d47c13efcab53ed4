"""Recorded runs in the formats of other tools: nothing below the command line imports it."""
