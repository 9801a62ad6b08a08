"""Finding an image again: exact copies, hidden copies, and frames of one scene. `segue data leaks`."""
