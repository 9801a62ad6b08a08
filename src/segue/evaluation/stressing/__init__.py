"""How predictions hold up when images are others: varied, and spoilt."""
