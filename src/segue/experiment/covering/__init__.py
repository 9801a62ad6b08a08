"""Whether a variation is enough: how much of another site lies within what training sees of its own images."""
