"""Code concerned with what can go wrong: a catalogue of faults, and a schedule of them that a seed decides."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Final

from services.benchmarks.nemesis.rig import Rig, send

Act = Callable[[Rig], None]
_SLOW_S: Final = 0.05
_IN_HAND_S: Final = 0.7
"""Long enough for the batches under way to come to the database, at the rates of the nemesis."""
_ALL: Final = frozenset({"ingest", "broker", "postgres", "broker link", "database link"})
_COMMIT: Final = b"COMMIT\0"
"""A commit on PostgreSQL's wire: the text of a query with its closing zero."""
_LONG_RUN_S: Final = 600.0
_LONG_SHARE: Final = 0.15


@dataclass(frozen=True, kw_only=True, slots=True)
class Kind:
    """One way to break something.

    Attributes:
        target: what it breaks; one fault at a time for each.
        whole: what else must be whole when it begins, or it would meet nobody at work.
        begin: does it.
        end: undoes it; None when it undoes itself.
        lasts_s: shortest and longest time until it is undone [s].
        long_s: the same for some of them in runs longer than ten minutes; None for none [s].

    """

    target: str
    begin: Act
    end: Act | None = None
    whole: frozenset[str] = frozenset()
    lasts_s: tuple[float, float] = (0.0, 0.0)
    long_s: tuple[float, float] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """One fault of a schedule: from `at_s` [s since the start], for `lasts_s` [s]."""

    name: str
    at_s: float
    lasts_s: float


def _freeze(pids: Callable[[Rig], Iterable[int]], target: str) -> Kind:
    return Kind(
        target=target,
        begin=lambda rig: send(pids(rig), signal.SIGSTOP),
        end=lambda rig: send(pids(rig), signal.SIGCONT),
        lasts_s=(0.5, 3),
        long_s=(10, 40),
    )


def _restart_postgres(how: signal.Signals) -> Kind:
    return Kind(
        target="postgres", begin=partial(Rig.stop_postgres, how=how), end=Rig.ensure_postgres, lasts_s=(0.0, 0.5)
    )


def _link(name: str) -> dict[str, Kind]:
    target = f"{name} link"
    return {
        f"{name}_cut": Kind(target=target, begin=lambda rig: rig.links[name].cut(reset=False)),
        f"{name}_reset": Kind(target=target, begin=lambda rig: rig.links[name].cut(reset=True)),
        f"{name}_refused": Kind(
            target=target,
            begin=lambda rig: rig.links[name].refuse(on=True),
            end=lambda rig: rig.links[name].refuse(on=False),
            lasts_s=(0.5, 3),
            long_s=(20, 60),
        ),
        f"{name}_stalled": Kind(
            target=target,
            begin=lambda rig: rig.links[name].stall(),
            end=lambda rig: rig.links[name].resume(reset=False),
            lasts_s=(0.5, 4),
            long_s=(20, 120),
        ),
        f"{name}_half_open": Kind(
            target=target,
            begin=lambda rig: rig.links[name].stall(),
            end=lambda rig: rig.links[name].resume(reset=True),
            lasts_s=(0.5, 4),
            long_s=(20, 120),
        ),
        f"{name}_slow": Kind(
            target=target,
            begin=lambda rig: rig.links[name].delay(_SLOW_S),
            end=lambda rig: rig.links[name].delay(0),
            lasts_s=(1, 4),
        ),
    }


def _kill_waiting(rig: Rig) -> None:
    """SIGKILL with a batch in hand that the database has not taken."""
    rig.wait_until_working()
    rig.links["database"].stall()
    time.sleep(_IN_HAND_S)
    rig.kill_ingest()
    rig.links["database"].resume(reset=True)


def _kill_at_commit(rig: Rig) -> None:
    """SIGKILL between a commit and all that should follow it."""
    rig.wait_until_working()
    rig.links["database"].hold_answer_to(_COMMIT)
    time.sleep(_IN_HAND_S)
    rig.kill_ingest()
    rig.links["database"].resume(reset=True)


def _lose_answer(rig: Rig) -> None:
    """Let the ingest commit and not know it."""
    rig.wait_until_working()
    rig.links["database"].hold_answer_to(_COMMIT)


def _kill_spooling(rig: Rig) -> None:
    """SIGKILL while messages go to the spool."""
    rig.stop_postgres(how=signal.SIGINT)
    rig.wait_until_spooling()
    rig.kill_ingest()


def _kill_draining(rig: Rig) -> None:
    """SIGKILL while the spool is drained into a database that is slow to answer."""
    rig.stop_postgres(how=signal.SIGINT)
    rig.wait_until_spooling()
    rig.links["database"].delay(_SLOW_S)
    rig.ensure_postgres()
    rig.wait_until_draining()
    rig.kill_ingest()
    rig.links["database"].delay(0)


def _bring_back(rig: Rig) -> None:
    rig.start_ingest()
    rig.ensure_postgres()


def _fill_both(rig: Rig) -> None:
    """No database, and no room to wait for it."""
    rig.stop_postgres(how=signal.SIGINT)
    rig.spool_disk.fill()


def _free_both(rig: Rig) -> None:
    rig.spool_disk.free()
    rig.ensure_postgres()


CATALOGUE: Final[dict[str, Kind]] = {
    "ingest_killed": Kind(target="ingest", begin=Rig.kill_ingest, end=Rig.start_ingest, lasts_s=(0.0, 1.5)),
    "ingest_killed_before_commit": Kind(target="ingest", begin=_kill_waiting, end=Rig.start_ingest, whole=_ALL),
    "ingest_killed_after_commit": Kind(target="ingest", begin=_kill_at_commit, end=Rig.start_ingest, whole=_ALL),
    "ingest_killed_spooling": Kind(
        target="postgres", begin=_kill_spooling, end=_bring_back, whole=_ALL, lasts_s=(0.0, 1.0)
    ),
    "ingest_killed_draining": Kind(target="ingest", begin=_kill_draining, end=Rig.start_ingest, whole=_ALL),
    "ingest_terminated": Kind(target="ingest", begin=Rig.terminate_ingest, end=Rig.start_ingest, lasts_s=(0.0, 0.5)),
    "ingest_frozen": _freeze(Rig.ingest_pids, "ingest"),
    "broker_frozen": _freeze(Rig.broker_pids, "broker"),
    "broker_restarted": Kind(target="broker", begin=Rig.stop_broker, end=Rig.ensure_broker, lasts_s=(0.0, 2)),
    "postgres_frozen": _freeze(Rig.postgres_pids, "postgres"),
    "postgres_restarted_fast": _restart_postgres(signal.SIGINT),
    "postgres_restarted_immediate": _restart_postgres(signal.SIGQUIT),
    "postgres_killed": _restart_postgres(signal.SIGKILL),
    "postgres_away": Kind(
        target="postgres",
        begin=partial(Rig.stop_postgres, how=signal.SIGINT),
        end=Rig.ensure_postgres,
        lasts_s=(2, 5),
        long_s=(60, 180),
    ),
    "backend_terminated": Kind(target="postgres", begin=Rig.terminate_backend),
    "backend_killed": Kind(target="postgres", begin=Rig.kill_backend, end=Rig.ensure_postgres, lasts_s=(1, 1)),
    **_link("broker"),
    **_link("database"),
    "database_commit_unanswered": Kind(
        target="database link",
        begin=_lose_answer,
        end=lambda rig: rig.links["database"].resume(reset=True),
        lasts_s=(0.5, 1.5),
        whole=_ALL,
    ),
}
DISKS: Final[dict[str, Kind]] = {
    "disk_full": Kind(
        target="postgres",
        begin=lambda rig: rig.disk.fill(),
        end=Rig.free_disk,
        lasts_s=(1.5, 4),
        long_s=(10, 30),
    ),
    "spool_disk_full": Kind(
        target="postgres", begin=_fill_both, end=_free_both, whole=_ALL, lasts_s=(3, 5), long_s=(20, 60)
    ),
}
"""What needs disks of its own."""
REPEATED: Final = "messages_repeated"
CLOCK: Final = "clock_stepped"


def schedule(names: list[str], kinds: dict[str, Kind], *, faults: int, seconds: float, seed: int) -> list[Fault]:
    """Spread faults over a run, every kind about equally often, in an order and for times that the seed decides."""
    draw = random.Random(seed)  # noqa: S311 - a schedule that can be repeated, not a secret
    order: list[str] = []
    while len(order) < faults:
        order += draw.sample(names, len(names))
    planned = []
    for name, at_s in zip(order, sorted(draw.uniform(0, seconds) for _ in range(faults)), strict=False):
        kind = kinds[name]
        is_long = kind.long_s is not None and seconds >= _LONG_RUN_S and draw.random() < _LONG_SHARE
        shortest, longest = kind.long_s if is_long and kind.long_s is not None else kind.lasts_s
        planned.append(Fault(name=name, at_s=at_s, lasts_s=draw.uniform(shortest, longest)))
    return planned
