"""Runs of many Configs and Scripts: one after another, or several at once."""
