"""Code concerned with a network that can be broken on purpose: a TCP proxy that delays, stalls, cuts and resets.

It runs its event loop in a thread of its own; the methods may be called from any thread.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

_LOOPBACK: Final = "127.0.0.1"
_CHUNK: Final = 65_536
_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)


class Proxy:
    """Stands between clients and one port of this machine."""

    def __init__(self, target_port: int) -> None:
        """Listen on a free port, at `port`."""
        self.port = 0
        self._target_port = target_port
        self._delay_s = 0.0
        self._refusing = False
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._open_gate = asyncio.Event()
        self._open_gate.set()
        self._answers = asyncio.Event()
        self._answers.set()
        self._awaited: bytes | None = None
        self._listening = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"proxy-{target_port}", daemon=True)
        self._thread.start()
        self._listening.wait(5)

    def delay(self, seconds: float) -> None:
        """Hold every piece back for so long."""
        self._call(lambda: setattr(self, "_delay_s", seconds))

    def cut(self, *, reset: bool) -> None:
        """Close all connections, orderly or with a reset; new ones are welcome."""
        self._call(lambda: self._close_all(reset=reset))

    def refuse(self, *, on: bool) -> None:
        """Close all connections and every new one at once, while on."""

        def change() -> None:
            self._refusing = on
            if on:
                self._close_all(reset=True)

        self._call(change)

    def stall(self) -> None:
        """Pass nothing on and close nothing: both sides believe the other is only silent."""
        self._call(self._open_gate.clear)

    def hold_answer_to(self, words: bytes) -> None:
        """Pass on until a client has sent these words, and then no answer more: what they did, the client cannot know."""
        self._call(lambda: setattr(self, "_awaited", words))

    def resume(self, *, reset: bool) -> None:
        """End a stall or a held answer: what was held back flows on, or what was connected is reset."""

        def change() -> None:
            if reset:
                self._close_all(reset=True)
            self._awaited = None
            self._answers.set()
            self._open_gate.set()

        self._call(change)

    def close(self) -> None:
        """Stop listening and end."""
        self._call(self._loop.stop)
        self._thread.join(5)

    def _call(self, change: Callable[[], object]) -> None:
        self._loop.call_soon_threadsafe(change)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, _LOOPBACK, 0))
        self.port = int(server.sockets[0].getsockname()[1])
        self._listening.set()
        self._loop.run_forever()
        server.close()
        self._close_all(reset=True)
        for task in self._tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*self._tasks, return_exceptions=True))
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        self._writers.add(writer)
        onward: asyncio.StreamWriter | None = None
        try:
            await self._open_gate.wait()
            if self._refusing:
                _close(writer, reset=True)
                return
            back, onward = await asyncio.open_connection(_LOOPBACK, self._target_port)
            self._writers.add(onward)
            await asyncio.gather(self._pump(reader, onward, self._listen_for), self._pump(back, writer, self._answer))
        except (OSError, asyncio.CancelledError):  # cancelled by `close` only, which is the end
            _close(writer, reset=False)
        finally:
            for end in (writer, onward):
                if end is not None:
                    self._writers.discard(end)
                    end.close()

    async def _listen_for(self, piece: bytes) -> None:
        if self._awaited is not None and self._awaited in piece:
            self._awaited = None
            self._answers.clear()

    async def _answer(self, _: bytes) -> None:
        await self._answers.wait()

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, before: Callable[[bytes], Awaitable[None]]
    ) -> None:
        """Pass pieces on until an end closes; then close the other."""
        with suppress(OSError):
            while piece := await reader.read(_CHUNK):
                if self._delay_s:
                    await asyncio.sleep(self._delay_s)
                await self._open_gate.wait()
                await before(piece)
                writer.write(piece)
                await writer.drain()
        await self._open_gate.wait()
        writer.close()

    def _close_all(self, *, reset: bool) -> None:
        for writer in self._writers:
            _close(writer, reset=reset)


def _close(writer: asyncio.StreamWriter, *, reset: bool) -> None:
    if reset:
        end = writer.get_extra_info("socket")
        with suppress(OSError):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        writer.transport.abort()
    else:
        writer.close()
