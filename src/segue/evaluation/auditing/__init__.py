"""How good predictions are where there are no masks: what can be seen of each, what that was worth elsewhere, its limits."""
