"""One rewrite rule a file."""
