"""The front door: puts one training together, judges it, compares it. A verb a file, each a function of the same name."""
