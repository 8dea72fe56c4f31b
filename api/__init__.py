"""The reading side: feature vectors over HTTP, and the door through which events come in."""
