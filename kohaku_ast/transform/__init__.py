"""Text in, code out: finds what a script defines and rewrites it. Never runs user code."""
