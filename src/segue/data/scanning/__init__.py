"""`segue data scan`: what is in a folder, and what is wrong with it. `segue data unpack` comes before it."""
