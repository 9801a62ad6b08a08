"""Prepared stores, to train from: a form for frames and one for volumes, opened and asked alike."""
