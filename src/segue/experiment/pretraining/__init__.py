"""An encoder from images alone: what it looks at, how it is watched, shown and handed on."""
