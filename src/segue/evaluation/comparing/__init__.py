"""Tables against each other: pairs, statistics, and a sentence in words."""
