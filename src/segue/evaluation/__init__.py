"""How good a prediction is: numbers of whole cases in their own geometry, their table, and what it says. No torch."""
