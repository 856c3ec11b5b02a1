"""`arterial migrate`: bring the database to this version."""

from __future__ import annotations

from services.commands.output import AsJson, report


def migrate(*, as_json: AsJson = False) -> None:
    """Apply the migrations this version needs and let the three roles in. Safe to repeat."""
    from services.settings import load_settings
    from services.storage import migrate as migrations

    done = migrations.migrate(load_settings())
    store = f"TimescaleDB {done.timescale}" if done.timescale else "native partitions"
    report(
        {"applied": done.applied, "version": done.version, "timescale": done.timescale},
        [*(f"applied {name}" for name in done.applied), f"The database is at version {done.version}, {store}."],
        as_json=as_json,
    )
