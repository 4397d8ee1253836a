"""Facts: what was taken in, on disk: the journal, the database, and what keeps the two right."""
