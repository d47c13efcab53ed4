"""What a script's text says can be overridden. By ``ast`` alone: nothing is imported or run."""
