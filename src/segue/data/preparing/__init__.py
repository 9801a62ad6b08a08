"""How cases come into a store: frames, and volumes. `segue.data.prepare` is the verb."""
