"""Results by content: digests of values and of code, and the caches that keep results."""
