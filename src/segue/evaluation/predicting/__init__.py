"""From images to masks on their own grids: what a network must see, in what pieces, and what is decided of what it says."""
