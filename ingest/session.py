"""Code concerned with the MQTT session: one thread that receives, and acknowledges what the writer has committed.

Everything the client library does happens in that one thread, so an acknowledgement can never meet another connection
than the one that delivered its message. While the inbox is full the socket is not read: the broker keeps the rest.
"""

from __future__ import annotations

import random
import select
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit

import structlog
from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from ingest.inbox import Inbox, Receipt
from services.domain import Message
from services.settings import Settings

if TYPE_CHECKING:
    from paho.mqtt.client import SocketLike

_KEEPALIVE_S: Final = 60
_CONNECT_S: Final = 5.0
_TICK_S: Final = 0.5
_FIRST_PAUSE_S: Final = 0.2
_LONGEST_PAUSE_S: Final = 10.0
_READS_PER_TURN: Final = 200
_TAKEN_OVER: Final = 0x8E

log = structlog.get_logger()


class Session:
    """A persistent session with the broker; constructing it opens nothing."""

    def __init__(self, settings: Settings, inbox: Inbox) -> None:
        """Take the broker, the client id and the topic filters from the settings.

        Raises:
            ConfigurationError: no broker is configured.

        """
        self._address = urlsplit(settings.broker_url())
        self._settings = settings
        self._is_5 = settings.mqtt_protocol == "5"
        self._inbox = inbox
        self._client = self._make_client()
        self._generation = 0
        self._connected = False
        self._subscribed = False
        self._pause_s = _FIRST_PAUSE_S
        self._committed: deque[Receipt] = deque()
        self._wake_read: socket.socket | None = None
        self._wake_write: socket.socket | None = None
        self._stop_receiving = threading.Event()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="mqtt-session", daemon=True)

    def start(self) -> None:
        """Begin to connect, in a thread of its own; tries until closed."""
        self._wake_read, self._wake_write = socket.socketpair()
        self._wake_read.setblocking(False)
        self._wake_write.setblocking(False)
        self._thread.start()

    def is_alive(self) -> bool:
        """Whether the thread runs; it ends only when told to."""
        return self._thread.is_alive()

    def is_connected(self) -> bool:
        """Whether the broker has accepted the connection that is open now."""
        return self._connected

    def acknowledge(self, receipts: Iterable[Receipt]) -> None:
        """Acknowledge committed messages, in order of receipt; receipts of an earlier connection are void."""
        self._committed.extend(receipts)
        self._wake()

    def stop_receiving(self) -> None:
        """Read nothing more, so that what is in the inbox is all there is; acknowledgements still go out."""
        self._stop_receiving.set()
        self._wake()

    def close(self) -> None:
        """Send the last acknowledgements, leave the session at the broker for the next process, and end the thread."""
        self._end.set()
        self._wake()
        if self._thread.ident is not None:
            self._thread.join(_CONNECT_S + 3 * _TICK_S)
        for end in (self._wake_read, self._wake_write):
            if end is not None:
                end.close()

    def _make_client(self) -> Client:
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=self._settings.mqtt_client_id,
            protocol=MQTTProtocolVersion.MQTTv5 if self._is_5 else MQTTProtocolVersion.MQTTv311,
            clean_session=None if self._is_5 else False,
            manual_ack=True,
        )
        client.connect_timeout = _CONNECT_S
        if self._address.username is not None:
            client.username_pw_set(unquote(self._address.username), unquote(self._address.password or ""))
        if self._address.scheme == "mqtts":
            client.tls_set()
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        return client

    def _run(self) -> None:
        while not self._end.is_set():
            if self._connect():
                while not self._end.is_set() and self._client.socket() is not None:
                    self._turn()
            self._end.wait(self._pause_s * random.uniform(0.5, 1.0))  # noqa: S311 - jitter, not a secret
            self._pause_s = min(self._pause_s * 2, _LONGEST_PAUSE_S)
        self._acknowledge_committed()
        if self._connected:
            self._client.disconnect()
        for _ in range(100):
            if not self._client.want_write() or self._client.socket() is None:
                break
            self._client.loop_write()
            time.sleep(0.01)

    def _connect(self) -> bool:
        self._generation += 1
        host, is_tls = self._address.hostname or "localhost", self._address.scheme == "mqtts"
        port = self._address.port or (8883 if is_tls else 1883)
        try:
            if self._is_5:
                properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho leaves it untyped
                properties.SessionExpiryInterval = self._settings.mqtt_session_expiry_s
                properties.ReceiveMaximum = self._settings.mqtt_receive_maximum
                self._client.connect(host, port, keepalive=_KEEPALIVE_S, clean_start=False, properties=properties)
            else:
                self._client.connect(host, port, keepalive=_KEEPALIVE_S)
        except (OSError, ValueError) as error:
            log.warning("the broker is away", broker=f"{host}:{port}", reason=str(error), pause_s=self._pause_s)
            return False
        return True

    def _turn(self) -> None:
        """Wait for the network or the writer, then do all there is to do; a lost connection leaves no socket behind."""
        connection = self._client.socket()
        if connection is None or self._wake_read is None:
            return
        paused = self._stop_receiving.is_set() or self._inbox.is_full()
        poll = select.poll()
        poll.register(self._wake_read, select.POLLIN)
        poll.register(
            connection, (0 if paused else select.POLLIN) | (select.POLLOUT if self._client.want_write() else 0)
        )
        happened = dict(poll.poll((0.02 if paused else _TICK_S) * 1_000))
        with suppress(BlockingIOError):  # nobody woke it
            self._wake_read.recv(4_096)
        self._acknowledge_committed()
        if not paused:
            self._read(connection)
        elif happened.get(connection.fileno(), 0) & (select.POLLHUP | select.POLLERR):
            self._client.loop_read()  # the broker has gone: notice it, although nothing more is wanted from it
        if self._client.want_write():
            self._client.loop_write()
        self._client.loop_misc()

    def _read(self, connection: SocketLike) -> None:
        """Read what has arrived, packet by packet, for as long as the inbox takes it."""
        poll = select.poll()
        poll.register(connection, select.POLLIN)
        for _ in range(_READS_PER_TURN):
            if self._inbox.is_full() or self._client.loop_read() != MQTTErrorCode.MQTT_ERR_SUCCESS:
                return
            if not poll.poll(0) and not (isinstance(connection, ssl.SSLSocket) and connection.pending()):
                return

    def _acknowledge_committed(self) -> None:
        while self._committed:
            receipt = self._committed.popleft()
            if receipt.qos and receipt.generation == self._generation and self._connected:
                self._client.ack(receipt.mid, receipt.qos)

    def _on_connect(
        self, client: Client, _: Any, flags: ConnectFlags, reason: ReasonCode, __: Properties | None
    ) -> None:
        if reason.is_failure:
            log.error("the broker refuses the connection", reason=str(reason))
            return
        self._connected = True
        self._pause_s = _FIRST_PAUSE_S
        log.info("connected to the broker", session_present=flags.session_present)
        if not flags.session_present and self._subscribed:
            log.warning("the broker has lost the session: what it held for this client is gone")
        if not flags.session_present or not self._subscribed:
            self._subscribe(client)

    def _subscribe(self, client: Client) -> None:
        """Subscribe once per process, as the filters may have changed, and whenever the session was lost.

        Retained messages are wanted for new subscriptions only: a session that was kept has had them.
        """
        topics = self._settings.mqtt_topics
        if self._is_5:
            options = SubscribeOptions(qos=1, retainHandling=SubscribeOptions.RETAIN_SEND_IF_NEW_SUB)
            client.subscribe([(topic, options) for topic in topics])
        else:
            client.subscribe([(topic, 1) for topic in topics])
        self._subscribed = True

    def _on_disconnect(
        self, _: Client, __: Any, ___: DisconnectFlags, reason: ReasonCode, ____: Properties | None
    ) -> None:
        self._connected = False
        if reason.value == _TAKEN_OVER:
            self._end.set()  # coming back would only start a quarrel
            log.error(
                "another client uses this client id and took the session over", client_id=self._settings.mqtt_client_id
            )
        elif not self._end.is_set():
            log.warning("disconnected from the broker", reason=str(reason))

    def _on_message(self, _: Client, __: Any, message: MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = message._topic.decode("utf-8", "surrogateescape")  # noqa: SLF001 - the only way to the bytes
        self._inbox.put(
            Message(
                topic=topic,
                payload=bytes(message.payload),
                received_us=time.time_ns() // 1_000,
                retained=message.retain,
            ),
            Receipt(generation=self._generation, mid=message.mid, qos=message.qos),
        )

    def _wake(self) -> None:
        if self._wake_write is not None:
            with suppress(BlockingIOError):  # it is awake already
                self._wake_write.send(b"w")
