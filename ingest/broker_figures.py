"""Code concerned with what the broker says about itself on `$SYS`, above all that it threw messages away.

Mosquitto acknowledges a message to its sender and drops it when a receiver's queue is full; these figures are the only
sign of it. Other brokers may offer none of them.
"""

from __future__ import annotations

from typing import Final

import structlog

TOPICS: Final = {
    "$SYS/broker/publish/messages/dropped": "dropped",
    "$SYS/broker/clients/connected": "clients",
    "$SYS/broker/store/messages/count": "stored",
    "$SYS/broker/store/messages/bytes": "stored_bytes",
    "$SYS/broker/uptime": "uptime",
}
"""What is subscribed to. Mosquitto publishes a figure every `sys_interval` seconds, 10 by default, when it has changed."""

log = structlog.get_logger()


class BrokerFigures:
    """The newest figures by name; empty with a broker that has none."""

    def __init__(self) -> None:
        self.newest: dict[str, int] = {}
        self.seen_dropped = 0

    def hear(self, topic: str, payload: bytes) -> None:
        """Keep a figure, and raise an alarm when the broker has dropped messages since the one before."""
        name = TOPICS.get(topic)
        text = payload[:20].split(b" ")[0]  # uptime is `17 seconds`
        if name is None or not text.isdigit():
            return
        value = int(text)
        if name == "dropped":
            before = self.newest.get(name)
            if before is None and value:
                log.warning(
                    "the broker has dropped messages before this process looked", dropped_since_broker_start=value
                )
            elif before is not None:
                self._alarm(value - before if value >= before else value, value)  # less: it began anew with the broker
        self.newest[name] = value

    def _alarm(self, new: int, altogether: int) -> None:
        if new:
            self.seen_dropped += new
            log.error(
                "the broker dropped messages it had acknowledged: a receiver's queue was full",
                dropped=new,
                dropped_since_broker_start=altogether,
                remedy="raise max_queued_messages and max_queued_bytes, or find out which client does not read",
            )
