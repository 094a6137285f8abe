"""Delta Lake below the store: one table on disk, commits over several, the list of syncs."""
