"""What is seen of a flow: a live table, lines, JSON, and the summary at its end."""
