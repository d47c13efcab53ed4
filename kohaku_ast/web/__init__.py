"""The web view of recorded runs: ``kogine ui``."""
