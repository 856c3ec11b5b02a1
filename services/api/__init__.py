"""The HTTP API: routes, schemas and problem documents."""
