"""What may be expected of a run at a place without masks, and what a few masks there prove."""
