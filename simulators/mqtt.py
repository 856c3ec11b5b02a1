"""Code concerned with publishing: MQTT out only, at least once, never faster than the broker acknowledges."""

from __future__ import annotations

import secrets
import ssl
import threading
import time
from types import TracebackType
from typing import Any, Self
from urllib.parse import unquote, urlsplit

import paho.mqtt.client as paho
import structlog
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from services.errors import UnavailableError, reason
from services.settings import Settings

_PATIENCE_S = 5.0
_UNACKNOWLEDGED = 200

log = structlog.get_logger()


class Publisher:
    """One connection that only publishes, QoS 1, and finds its way back to a broker that went away.

    `connected` counts how often the broker was (re)reached: after a change retained messages should be sent again.
    """

    def __init__(self, settings: Settings, name: str, *, stop: threading.Event, will_topic: str | None = None) -> None:
        """Nothing is opened before `with`; `will_topic` is told retained whether this connection lives."""
        self._url = settings.broker_url()
        protocol = MQTTProtocolVersion.MQTTv5 if settings.mqtt_protocol == "5" else MQTTProtocolVersion.MQTTv311
        client_id = f"arterial-{name}-{secrets.token_hex(4)}"
        self._client = paho.Client(CallbackAPIVersion.VERSION2, client_id=client_id, protocol=protocol)
        self._client.max_inflight_messages_set(_UNACKNOWLEDGED)
        self._client.reconnect_delay_set(1, 15)
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = self._on_disconnect
        self._client.on_publish = self._on_publish
        self._stop = stop
        self._will_topic = will_topic
        self._room = threading.Condition()
        self._pending = 0
        self._refusal: str | None = None
        self.connected = 0
        self.published = 0

    def __enter__(self) -> Self:
        """Connect.

        Raises:
            UnavailableError: the broker does not answer, or refuses.

        """
        parts = urlsplit(self._url)
        where = f"{parts.hostname}:{parts.port or _default_port(parts.scheme)}"
        if parts.username:
            self._client.username_pw_set(unquote(parts.username), unquote(parts.password or ""))
        if parts.scheme == "mqtts":
            self._client.tls_set_context(ssl.create_default_context())
        if self._will_topic:
            self._client.will_set(self._will_topic, b'{"online":false}', qos=1, retain=True)
        try:
            self._client.connect(parts.hostname or "localhost", parts.port or _default_port(parts.scheme), keepalive=60)
        except OSError as error:
            message = (
                f"the MQTT broker at {where} does not answer: {reason(error)}; start it, or correct ARTERIAL_MQTT_URL"
            )
            raise UnavailableError(message) from error
        self._client.loop_start()
        deadline = time.monotonic() + _PATIENCE_S
        with self._room:
            while not self.connected and self._refusal is None and time.monotonic() < deadline:
                self._room.wait(0.1)
        if not self.connected:
            self._close()
            message = f"the MQTT broker at {where} refused: {self._refusal or 'it closed the connection'}"
            raise UnavailableError(message)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Say goodbye and disconnect."""
        if self._will_topic and self._client.is_connected():
            self._client.publish(self._will_topic, b'{"online":false}', qos=1, retain=True)
            self.drain(1.0)
        self._close()

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> bool:
        """Hand over one message; waits while too many are unacknowledged.

        Returns:
            False when `stop` was set instead; the message was not handed over.

        """
        with self._room:
            while self._pending >= _UNACKNOWLEDGED:
                if self._stop.is_set():
                    return False
                self._room.wait(0.2)
            self._pending += 1
        self._client.publish(topic, payload, qos=1, retain=retain)
        self.published += 1
        return True

    @property
    def pending(self) -> int:
        """How many messages the broker has not acknowledged."""
        return self._pending

    def drain(self, patience_s: float) -> bool:
        """Wait until every message was acknowledged; False when that took too long."""
        deadline = time.monotonic() + patience_s
        with self._room:
            while self._pending and time.monotonic() < deadline:
                self._room.wait(0.05)
            return not self._pending

    def _close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _on_connect(
        self, client: paho.Client, userdata: Any, flags: paho.ConnectFlags, reason: ReasonCode, properties: Any
    ) -> None:
        del client, userdata, flags, properties
        with self._room:
            if reason.is_failure:
                self._refusal = str(reason)
            else:
                self.connected += 1
            self._room.notify_all()
        if not reason.is_failure and self._will_topic:
            with self._room:
                self._pending += 1
            self._client.publish(self._will_topic, b'{"online":true}', qos=1, retain=True)

    def _on_disconnect(
        self, client: paho.Client, userdata: Any, flags: paho.DisconnectFlags, reason: ReasonCode, properties: Any
    ) -> None:
        del client, userdata, flags, properties
        if reason.is_failure and not self._stop.is_set():
            log.warning("the broker went away; connecting again", reason=str(reason))

    def _on_publish(
        self, client: paho.Client, userdata: Any, mid: int, reason: ReasonCode, properties: Properties
    ) -> None:
        del client, userdata, mid, reason, properties
        with self._room:
            self._pending -= 1
            self._room.notify_all()


def _default_port(scheme: str) -> int:
    return 8883 if scheme == "mqtts" else 1883
