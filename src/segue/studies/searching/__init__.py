"""A search: trials that look for good settings, judged by validation at home; the best is run again on seeds that it has not
seen."""
