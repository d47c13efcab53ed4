"""Configs made of other tools' files, for ``kogine config migrate``."""
