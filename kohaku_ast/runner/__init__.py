"""Runs compiled Programs: here, in fresh processes, faithfully."""

import sys

STARTED_WITH = frozenset(sys.modules)
"""The modules that were there before any of ours: a script would find them under Python too."""
