"""What the worker does, when, and once."""
