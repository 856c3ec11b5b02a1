"""A synthetic city with its truth kept, and the replay of real recordings."""
