"""One table for each row of the semantics: scripts, overrides, and the same as edits by hand."""
