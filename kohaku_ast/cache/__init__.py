"""Results by content: what values and code are, as digests, and where results are kept."""
