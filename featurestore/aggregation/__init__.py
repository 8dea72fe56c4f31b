"""The algebra of events and time: columnar and pure."""
