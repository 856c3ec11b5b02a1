"""The record of what was done, and the documents that officers sign."""
