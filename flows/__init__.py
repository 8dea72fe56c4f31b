"""The writing side: events in, rows out."""
