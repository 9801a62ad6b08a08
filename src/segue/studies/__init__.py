"""Studies: a question in a file, the runs that answer it, and the answer with its statistics."""
