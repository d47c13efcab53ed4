"""Programs: compiled, kept on disk by content, and bound to the values of a run."""
