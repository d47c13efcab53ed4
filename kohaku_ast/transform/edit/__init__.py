"""Text in, text out: the edits that overrides need, and the proof that nothing else changed."""
