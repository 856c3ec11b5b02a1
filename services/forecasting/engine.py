"""Code concerned with where shards are worked on: in this process, in processes of this machine, or on a Dask cluster.

All three call the same function with the same arguments. Processes of this machine map the same files of learnt models,
so what they share lies in memory once; the workers of a cluster take them from the database.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any, Final, Protocol, TypeVar, cast

from services.errors import InputError, UnavailableError

T = TypeVar("T")
R = TypeVar("R")

_ONE_THREAD: Final = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_PATIENCE: Final = "10s"


class Engine(Protocol):
    """Somewhere that work can be done."""

    def run(self, work: Callable[[T], R], items: Sequence[T]) -> Iterator[R]:
        """Call `work` with each item; results come as they are ready, in any order. The first error is raised."""
        ...


@dataclass(frozen=True, slots=True)
class Inline:
    """This process, one item after the other."""

    def run(self, work: Callable[[T], R], items: Sequence[T]) -> Iterator[R]:
        """Call `work` with each item, in order."""
        return map(work, items)


@dataclass(frozen=True, kw_only=True, slots=True)
class Local:
    """Processes of this machine, one thread of arithmetic each."""

    processes: int

    def run(self, work: Callable[[T], R], items: Sequence[T]) -> Iterator[R]:
        """Call `work` in the processes; it and the items must be picklable."""
        with (
            _one_thread_each(),
            ProcessPoolExecutor(min(self.processes, max(1, len(items))), mp_context=get_context("spawn")) as pool,
        ):
            futures = [pool.submit(work, item) for item in items]
            try:
                for future in as_completed(futures):
                    yield future.result()
            finally:
                pool.shutdown(wait=True, cancel_futures=True)


@dataclass(frozen=True, kw_only=True, slots=True)
class Dask:
    """The workers of a Dask cluster, which have Arterial installed and reach the same database."""

    address: str

    def run(self, work: Callable[[T], R], items: Sequence[T]) -> Iterator[R]:
        """Call `work` on the cluster.

        Raises:
            InputError: the package is not installed here.
            UnavailableError: the scheduler does not answer.

        """
        try:
            from distributed import Client
            from distributed import as_completed as as_done
        except ImportError as error:
            message = "the engine dask needs the package distributed: pip install 'arterial[dask]'"
            raise InputError(message) from error
        try:
            client: Any = Client(self.address, timeout=_PATIENCE, set_as_default=False)  # type: ignore[no-untyped-call,unused-ignore]  # it has no hints for this
        except (OSError, TimeoutError) as error:
            message = f"no Dask scheduler answers at {self.address}: {error}"
            raise UnavailableError(message) from error
        with client:
            futures: list[Any] = client.map(work, list(items), pure=False)
            for future in as_done(futures, loop=client.loop):  # type: ignore[no-untyped-call,unused-ignore]  # it has no hints for this
                yield cast("R", future.result())


def engine_of(text: str) -> Engine:
    """The engine of `--engine`: `inline`, `local`, `local:4` or `dask://host:port`.

    Raises:
        InputError: there is no such engine.

    """
    name, _, rest = text.partition(":")
    if text == "inline":
        return Inline()
    if name == "local" and (not rest or (rest.isdecimal() and int(rest) > 0)):
        return Local(processes=int(rest) if rest else max(1, os.cpu_count() or 1))
    if text.startswith("dask://") and ":" in rest:
        return Dask(address=f"tcp:{rest}")
    message = f"--engine {text!r}: there are inline, local, local:4 (so many processes) and dask://host:port"
    raise InputError(message)


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Children begun inside calculate with one thread: as many processes as cores, and each at its best."""
    before = {name: os.environ.get(name) for name in _ONE_THREAD}
    os.environ.update(dict.fromkeys(_ONE_THREAD, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
