"""Open a capture."""
