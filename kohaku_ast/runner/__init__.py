"""Runs compiled Programs faithfully: in this process, in a fresh or in a forked one."""

import sys

STARTED_WITH = frozenset(sys.modules)
"""The modules loaded before any of ours: a script would find them under plain Python too."""
