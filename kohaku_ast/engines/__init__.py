"""How and where a pipeline runs."""
