"""The others: the same work, done the way they are meant to be used."""
