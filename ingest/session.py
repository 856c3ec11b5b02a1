"""Code concerned with the MQTT session: one thread that receives, and acknowledges what the writer has committed.

Everything on the network happens in that one thread, so an acknowledgement can never meet another connection than the
one that delivered its message. While the inbox is full the socket is not read: the broker keeps the rest. The session
speaks MQTT by itself: a general client library spends several system calls and a lock on every message.
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
from typing import Final
from urllib.parse import unquote, urlsplit

import numpy as np
import structlog

from ingest import broker_figures, packets
from ingest.inbox import Inbox, Receipt
from ingest.sharing import subscriptions
from ingest.watch import Watch
from services.domain import Message
from services.errors import ConfigurationError
from services.settings import Settings

_KEEPALIVE_S: Final = 60
_CONNECT_S: Final = 5.0
_TICK_S: Final = 0.5
_FIRST_PAUSE_S: Final = 0.2
_LONGEST_PAUSE_S: Final = 10.0
_PIECE_BYTES: Final = 256 * 1024
_PIECES_PER_TURN: Final = 16
_HEARTBEAT_MID: Final = 2
_FIGURES_MID: Final = 3
_FIGURES_TRIES: Final = 3
_STALE_MID: Final = 4
_QUIET_S: Final = 2.0
_NOT_SHARED: Final = 0x9E
_THERE_WAS_NONE: Final = 0x11
_TAKEN_OVER: Final = 0x8E
_REFUSED: Final = 0x80
_NOT_YET: Final = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)

log = structlog.get_logger()


class Session:
    """A persistent session with the broker; constructing it opens nothing."""

    def __init__(self, settings: Settings, inbox: Inbox, watch: Watch | None = None, *, retiring: bool = False) -> None:
        """Take the broker, the client id and the topic filters from the settings; tell `watch` what it sees.

        A session that is retiring leaves its group, takes what the broker still holds for it, and ends for good.

        Raises:
            ConfigurationError: no broker is configured.

        """
        self._address = urlsplit(settings.broker_url())
        self._settings = settings
        self._is_5 = settings.mqtt_protocol == "5"
        self._topics = subscriptions(settings)
        self._retiring = retiring
        self._left_group = self._session_was_present = False
        self.failure: ConfigurationError | None = None
        self._inbox = inbox
        self._watch = watch or Watch(settings)
        self.connections = self.sessions_lost = self.stalls = 0
        self._unacknowledged = np.full(1 << 16, np.inf)
        self._hears_heartbeats = False
        self._figures_tries = _FIGURES_TRIES if self._is_5 else 0  # rumqttd, spoken to in 3.1.1, hangs up on who asks
        self._waits_for_figures = False
        self._socket: socket.socket | None = None
        self._stream = packets.Stream(is_5=self._is_5)
        self._outgoing = bytearray()
        self._generation = 0
        self._connected = False
        self._subscribed = False
        self._keepalive_s: float = _KEEPALIVE_S
        self._begun = self._sent = self._heard = self._looked = self._delivered = 0.0
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

    def has_retired(self) -> bool:
        """Whether a retiring session has left its group and the broker has nothing more for it."""
        idle = self._left_group and self._connected and bool(np.isinf(self._unacknowledged).all())
        return idle and time.monotonic() - self._delivered > _QUIET_S

    def oldest_unacknowledged_s(self) -> float:
        """How long the message that has waited longest waits for its acknowledgement [s]; 0 when none does."""
        return max(0.0, time.monotonic() - float(self._unacknowledged.min())) if self._connected else 0.0

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

    def _run(self) -> None:
        while not self._end.is_set():
            try:
                self._connect()
                while not self._end.is_set():
                    self._turn()
                self._leave()
            except (OSError, UnicodeError, packets.MalformedPacketError) as error:  # an ssl.SSLError is an OSError
                if not self._end.is_set():
                    reason = str(error) or type(error).__name__
                    log.warning("the connection to the broker is lost", broker=self._where(), reason=reason)
            if self._waits_for_figures and not self._end.is_set():
                self._figures_tries -= 1
                if not self._figures_tries:
                    log.warning("the broker hangs up when asked for $SYS: it is not asked again", broker=self._where())
            self._connected = self._hears_heartbeats = self._waits_for_figures = False
            if self._socket is not None:
                self._socket.close()
                self._socket = None
            self._end.wait(self._pause_s * random.uniform(0.5, 1.0))  # noqa: S311 - jitter, not a secret
            self._pause_s = min(self._pause_s * 2, _LONGEST_PAUSE_S)

    def _connect(self) -> None:
        """Open a connection and ask for the session; the answer comes with what is read later."""
        self._generation += 1
        self._unacknowledged.fill(np.inf)
        self._stream = packets.Stream(is_5=self._is_5)
        is_tls = self._address.scheme == "mqtts"
        host = self._address.hostname or "localhost"
        plain = socket.create_connection((host, self._address.port or (8883 if is_tls else 1883)), _CONNECT_S)
        self._socket = plain
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if is_tls:
            self._socket = ssl.create_default_context().wrap_socket(plain, server_hostname=host)
        self._socket.setblocking(False)
        user, password = self._address.username, self._address.password
        self._outgoing = bytearray(
            packets.connect(
                client_id=self._settings.mqtt_client_id,
                is_5=self._is_5,
                keepalive_s=_KEEPALIVE_S,
                receive_maximum=self._settings.mqtt_receive_maximum,
                session_expiry_s=self._settings.mqtt_session_expiry_s,
                user=None if user is None else unquote(user),
                password=None if user is None else unquote(password or ""),
            )
        )
        self._keepalive_s = _KEEPALIVE_S
        self._begun = self._sent = self._heard = time.monotonic()

    def _turn(self) -> None:
        """Wait for the network or the writer, then do all there is to do.

        Raises:
            OSError: the connection is lost.
            MalformedPacketError: what the broker sends cannot be read.

        """
        if self._socket is None or self._wake_read is None:
            return
        paused = self._stop_receiving.is_set() or self._inbox.is_full()
        poll = select.poll()
        poll.register(self._wake_read, select.POLLIN)
        poll.register(self._socket, (0 if paused else select.POLLIN) | (select.POLLOUT if self._outgoing else 0))
        at_hand = not paused and isinstance(self._socket, ssl.SSLSocket) and self._socket.pending()
        happened = dict(poll.poll(0 if at_hand else (0.02 if paused else _TICK_S) * 1_000))
        with suppress(BlockingIOError):  # nobody woke it
            self._wake_read.recv(4_096)
        self._acknowledge_committed()
        if not paused:
            self._read(self._socket)
        elif happened.get(self._socket.fileno(), 0) & (select.POLLHUP | select.POLLERR):
            message = "the broker has closed it"
            raise ConnectionResetError(message)
        self._keep_alive(reading=not paused)
        self._look_after(self._watch)
        self._write(self._socket)

    def _read(self, connection: socket.socket) -> None:
        """Read what has arrived, for as long as the inbox takes it."""
        for _ in range(_PIECES_PER_TURN):
            if self._inbox.is_full():
                return
            try:
                piece = connection.recv(_PIECE_BYTES)
            except _NOT_YET:
                return
            if not piece:
                message = "the broker has closed it"
                raise ConnectionResetError(message)
            self._heard = time.monotonic()
            arrived = self._stream.feed(piece)
            for answer in arrived.answers:
                self._hear(answer)
            if arrived.messages:
                self._delivered = self._heard
                self._unacknowledged[arrived.mids] = self._heard
                self._unacknowledged[0] = np.inf  # at QoS 0 nothing is to be acknowledged
                self._inbox.put(arrived.messages, Receipt(generation=self._generation, mids=arrived.mids))
            for aside in arrived.asides:
                self._hear_aside(aside)
            if arrived.aside_mids:
                self._outgoing += packets.acknowledgements(arrived.aside_mids)

    def _write(self, connection: socket.socket) -> None:
        while self._outgoing:
            try:
                sent = connection.send(self._outgoing)
            except _NOT_YET:
                return
            del self._outgoing[:sent]
            self._sent = time.monotonic()

    def _keep_alive(self, *, reading: bool) -> None:
        """Show the broker that this end lives, and notice when the broker does not.

        Raises:
            TimeoutError: the broker has been silent for too long; while nothing is read its silence means nothing.

        """
        now = time.monotonic()
        if not reading:
            self._heard = now
        if self._connected and not self._outgoing and now - self._sent >= self._keepalive_s / 2:
            self._outgoing += packets.PINGREQ
        patience = 1.5 * self._keepalive_s if self._connected else _CONNECT_S
        if now - (self._heard if self._connected else self._begun) > patience:
            message = f"the broker has not answered for {patience:.0f} s"
            raise TimeoutError(message)

    def _look_after(self, watch: Watch) -> None:
        """Send a heartbeat when one is due, and begin the connection anew when a message was forgotten.

        Raises:
            ConnectionResetError: the broker shall deliver again what was not acknowledged.

        """
        if self._hears_heartbeats:
            beat = watch.heartbeat.beat()
            if beat is not None:
                self._outgoing += packets.publish_once(watch.heartbeat.topic, beat, is_5=self._is_5)
        now = time.monotonic()
        if now - self._looked >= 1.0:
            self._looked = now
            oldest_s = self.oldest_unacknowledged_s()
            if watch.is_stalled(oldest_s):
                self.stalls += 1
                log.error("a message was never acknowledged, though the database is fine", waited_s=round(oldest_s))
                message = "what was not acknowledged has to be delivered again"
                raise ConnectionResetError(message)

    def _hear_aside(self, message: Message) -> None:
        if message.topic == self._watch.heartbeat.topic:
            self._watch.heartbeat.hear(message.payload, received=self._inbox.received)
        else:
            self._watch.broker.hear(message.topic, message.payload)

    def _acknowledge_committed(self) -> None:
        """Acknowledge in one go all that was committed since, as far as this connection delivered it."""
        generation, mids = self._generation, list[int]()
        while self._committed:
            receipt = self._committed.popleft()
            if receipt.generation == generation:
                mids += [mid for mid in receipt.mids if mid]
        if mids and self._connected:
            self._unacknowledged[mids] = np.inf
            self._outgoing += packets.acknowledgements(mids)

    def _hear(self, answer: packets.Answer) -> None:
        if isinstance(answer, packets.Accepted):
            self._accepted(answer)
        elif isinstance(answer, packets.Granted) and answer.mid == _HEARTBEAT_MID:
            self._hears_heartbeats = bool(answer.codes) and answer.codes[0] < _REFUSED
            if not self._hears_heartbeats:
                log.error("the broker refuses the heartbeat's topic", topic=self._watch.heartbeat.topic)
        elif isinstance(answer, packets.Granted):
            if answer.mid == _FIGURES_MID:
                self._waits_for_figures = False
                self._figures_tries = _FIGURES_TRIES
                return  # a refusal says that there are none to be had
            if _NOT_SHARED in answer.codes:
                self._refuse_to_share()
            if any(code >= _REFUSED for code in answer.codes):
                wanted = (*self._topics.plain, *self._topics.shared)
                refused = [t for t, c in zip(wanted, answer.codes, strict=False) if c >= _REFUSED]
                log.error("the broker refuses a subscription", topics=refused)
            elif self._is_5 and self._session_was_present:  # not before: what is published now must find a subscription
                self._outgoing += packets.unsubscribe(self._topics.stale, mid=_STALE_MID)
        elif isinstance(answer, packets.Released):
            self._released(answer)
        else:
            if answer.reason == _TAKEN_OVER:
                self._end.set()  # coming back would only start a quarrel
                log.error(
                    "another client uses this client id and took the session over",
                    client_id=self._settings.mqtt_client_id,
                )
            message = f"the broker says goodbye, reason {answer.reason:#04x}"
            raise ConnectionResetError(message)

    def _accepted(self, answer: packets.Accepted) -> None:
        if answer.reason:
            message = f"the broker refuses the connection, reason {answer.reason:#04x}: are user and password right?"
            raise ConnectionRefusedError(message)
        self._connected = True
        self.connections += 1
        self._pause_s = _FIRST_PAUSE_S
        if answer.keepalive_s:
            self._keepalive_s = answer.keepalive_s
        self._session_was_present = answer.session_present
        log.info("connected to the broker", session_present=answer.session_present)
        if not answer.session_present and self._subscribed:
            self.sessions_lost += 1
            log.warning("the broker has lost the session: what it held for this client is gone")
        if self._retiring:
            self._outgoing += packets.unsubscribe(self._all_filters(), mid=_STALE_MID)
            return
        if self._topics.shared and not answer.shares:
            self._refuse_to_share()
        if not answer.session_present or not self._subscribed:  # once per process, as the filters may have changed
            self._outgoing += packets.subscribe((*self._topics.plain, *self._topics.shared), is_5=self._is_5)
            self._subscribed = True
        if self._figures_tries:
            self._waits_for_figures = True
            self._outgoing += packets.subscribe_aside(tuple(broker_figures.TOPICS), mid=_FIGURES_MID, is_5=self._is_5)
        if self._watch.heartbeat.is_on:
            own = [self._watch.heartbeat.topic]
            self._outgoing += packets.subscribe_aside(own, mid=_HEARTBEAT_MID, is_5=self._is_5)

    def _released(self, answer: packets.Released) -> None:
        """Go on when this session was of the group; another's is left as it is.

        Raises:
            ConnectionAbortedError: it was not; the thread ends.

        """
        if not self._retiring or self._left_group:
            return
        if self._session_was_present and all(code == _THERE_WAS_NONE for code in answer.codes):
            self._fail(
                f"the session {self._settings.mqtt_client_id!r} holds none of the subscriptions of the group "
                "and is left as it is; to take what the broker may hold for it, start "
                "as many processes as before"
            )
        self._left_group = True
        self._delivered = time.monotonic()

    def _refuse_to_share(self) -> None:
        self._fail(
            f"the broker at {self._where()} knows no shared subscriptions, by which several ingest processes divide the "
            "messages: set ARTERIAL_INGEST_PROCESSES=1 and no ARTERIAL_MQTT_SHARE_GROUP, or take another broker"
        )

    def _fail(self, reason: str) -> None:
        self.failure = ConfigurationError(reason)
        self._end.set()
        raise ConnectionAbortedError(reason)

    def _all_filters(self) -> tuple[str, ...]:
        return (*self._topics.shared, *self._topics.plain, *self._topics.stale)

    def _leave(self) -> None:
        """Say goodbye and wait until the broker has heard it: closing on unread bytes would take back what was sent."""
        if self._socket is None or not self._connected:
            return
        self._acknowledge_committed()
        self._outgoing += packets.END_SESSION if self._retiring and self.has_retired() else packets.DISCONNECT
        self._socket.settimeout(1.0)
        self._socket.sendall(self._outgoing)
        deadline = time.monotonic() + 1.0
        while time.monotonic() < deadline and self._socket.recv(_PIECE_BYTES):
            pass

    def _where(self) -> str:
        return self._address.netloc.rpartition("@")[2]

    def _wake(self) -> None:
        if self._wake_write is not None:
            with suppress(BlockingIOError):  # it is awake already
                self._wake_write.send(b"w")
