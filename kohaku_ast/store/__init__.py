"""Records: what is kept of each run of a flow, on disk."""
