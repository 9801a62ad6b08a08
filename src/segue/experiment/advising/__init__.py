"""What to do with a dataset: its facts, the route, the minutes, what more masks would bring."""
