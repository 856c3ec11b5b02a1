"""Code concerned with who follows the commits of an ingest process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry

from ingest.committed import Follower
from services.settings import Settings


@contextmanager
def following(settings: Settings, registry: CollectorRegistry) -> Iterator[Follower | None]:
    """The mirror to InfluxDB where one is configured, its figures in `registry`; its client is slow to import.

    Raises:
        ConfigurationError: the mirror's spool cannot be used, or another process uses it.

    """
    if settings.influx_url is None:
        yield None
        return
    from ingest.influx.figures import MirrorFigures
    from ingest.influx.mirror import Mirror

    with Mirror(settings, settings.mqtt_client_id) as mirror:
        registry.register(MirrorFigures(mirror))
        yield mirror
