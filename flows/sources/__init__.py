"""Sources: where the events of a stream come from, one file per kind; all of them give blocks."""
