"""For use inside scripts: imports nothing else of ours."""
