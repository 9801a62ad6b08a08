"""What the page of a study tells beside its answer, each in a file of its own: findings that were not declared."""
