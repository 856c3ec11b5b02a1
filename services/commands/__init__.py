"""The commands of `arterial`, one file per family; heavy imports happen inside the functions."""
