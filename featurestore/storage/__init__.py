"""Keeping and finding: rows, positions and dead letters in Redis."""
