"""A prediction against its mask: whole cases in their own geometry, their numbers, their table, and what it says."""
