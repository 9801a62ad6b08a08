"""Cases as pictures, and images as an encoder sees them."""
