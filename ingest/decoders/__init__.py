"""Payload dialects: one file each turns a message into readings, or says exactly why not."""
