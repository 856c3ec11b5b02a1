"""Noise: one mechanism per file, its claim beside its code."""
