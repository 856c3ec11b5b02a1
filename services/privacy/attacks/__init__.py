"""Attacks on our own releases: one file each, run by `arterial privacy attack` against generated people."""
