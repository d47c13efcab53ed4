"""``kogine lsp``: config files in an editor. Nothing here runs a script or a config."""
