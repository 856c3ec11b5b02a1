"""One file per device dialect: how values become topics and payloads."""
