"""Code concerned with one run of the nemesis: the storm, the calm after it, a broker that forgets, and the report."""

from __future__ import annotations

import heapq
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, Final

from services.benchmarks.nemesis import journal
from services.benchmarks.nemesis.faults import CATALOGUE, CLOCK, DISKS, REPEATED, Act, Fault, Kind, schedule
from services.benchmarks.nemesis.fleet import Fleet
from services.benchmarks.nemesis.oracle import Judgement, judge
from services.benchmarks.nemesis.peers import PEERS, judge_peer
from services.benchmarks.nemesis.rig import Rig
from services.errors import UnavailableError
from services.storage import nemesis

_LOOK_S: Final = 0.1
_START_PATIENCE_S: Final = 60.0
_QUIET_S: Final = 20.0
_QUIET_OF_PEERS_S: Final = 45.0
"""Some come again a minute after they failed."""
_EXAMPLES: Final = 10

Tell = Callable[[int, int], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What to do.

    Attributes:
        faults: how many to inject.
        seconds: over which time [s].
        seed: decides everything that is drawn.
        per_s: messages a second of all devices together.
        broker_kills: SIGKILLs of the broker after the storm, which are reported apart.
        peers: whether other pipelines go through the same storm.
        keep: where the logs and the journal stay; None for a folder that is removed.

    """

    faults: int = 200
    seconds: float = 600.0
    seed: int = 1
    per_s: float = 400.0
    broker_kills: int = 3
    peers: bool = False
    keep: Path | None = None


def run(plan: Plan, tell: Tell) -> dict[str, Any]:
    """Let the storm loose and judge what is left.

    Args:
        plan: how much of it.
        tell: is told how many faults of how many are done.

    Returns:
        The report; `is_clean(report)` says whether every promise held.

    Raises:
        ConfigurationError: mosquitto or the embedded PostgreSQL is not installed.
        UnavailableError: something did not come up again.

    """
    if plan.keep is not None:
        plan.keep.mkdir(parents=True, exist_ok=True)
        return _run(plan, tell, Path(tempfile.mkdtemp(prefix="run-", dir=plan.keep)))
    with tempfile.TemporaryDirectory(prefix="arterial-nemesis-") as folder:
        return _run(plan, tell, Path(folder))


def is_clean(report: dict[str, Any]) -> bool:
    """Whether nothing was lost, doubled, altered, misplaced, invented or left in the spool, and the counters agree."""
    nothing = ("lost", "doubled", "altered", "misplaced", "invented", "left_in_spool", "equation_violations")
    return not any(report[name] for name in nothing) and bool(report["counters_agree"])


def _run(plan: Plan, tell: Tell, folder: Path) -> dict[str, Any]:
    with Rig(folder) as rig:
        skipped = {} if rig.has_small_disk else dict.fromkeys(DISKS, "only root may mount the small disk it needs")
        by_kind, lasted_s = _storm_over(rig, plan, tell)
        drained_s = _drain(rig, lambda: not _judgement(rig, folder, "storm").lost)
        rig.terminate_ingest()
        left_in_spool = rig.left_in_spool()
        report = {
            "faults": sum(by_kind.values()),
            "seed": plan.seed,
            "seconds": round(lasted_s, 1),
            "by_kind": dict(sorted(by_kind.items())),
            "skipped": skipped,
            "drained_s": round(drained_s, 1),
            "left_in_spool": left_in_spool,
            **_verdict(rig, folder),
        }
        if plan.broker_kills:
            report["broker_killed"] = _forgetful_broker(rig, plan, folder)
            report["doubled"] = len(_judgement(rig, folder, "").doubled)
        report |= {"ingest_starts": rig.ingest_starts, "slow_stops": rig.slow_stops}
    return report | ({"peers": _peers(plan, tell, folder)} if plan.peers else {})


def _peers(plan: Plan, tell: Tell, folder: Path) -> dict[str, Any]:
    """What the same storm leaves of other pipelines; one that cannot run here is named with the reason."""
    found: dict[str, Any] = {}
    for peer in PEERS:
        own = folder / peer.name
        own.mkdir()
        try:
            with Rig(own, peer) as rig:
                by_kind, _ = _storm_over(rig, plan, tell)
                _drain(rig, lambda: False, _QUIET_OF_PEERS_S)
                with rig.connect() as connection:
                    judged = judge_peer(journal.read(own / "storm.journal"), nemesis.peer_stored(connection))
        except UnavailableError as error:
            found[peer.name] = {"skipped": str(error)}
        else:
            found[peer.name] = {"faults": by_kind.total(), "starts": rig.ingest_starts, **judged}
    return found


def _storm_over(rig: Rig, plan: Plan, tell: Tell) -> tuple[Counter[str], float]:
    """The storm from a healthy start to everything healed and acknowledged: faults by kind, and its length [s]."""
    rig.start_ingest()
    _wait_until_heard(rig, "first")
    with Fleet(
        rig.broker_port,
        rig.folder / "storm.journal",
        prefix="storm",
        per_s=plan.per_s,
        seed=plan.seed,
        batches=rig.is_ours,
    ) as fleet:
        kinds = CATALOGUE | {
            REPEATED: Kind(target="devices", begin=lambda _: fleet.order("repeat")),
            CLOCK: Kind(target="devices", begin=lambda _: fleet.order("clock")),
        }
        kinds |= DISKS if rig.has_small_disk else {}
        faults = schedule(sorted(kinds), kinds, faults=plan.faults, seconds=plan.seconds, seed=plan.seed)
        began = time.monotonic()
        by_kind = _storm(rig, kinds, faults, tell)
        rig.heal()
        fleet.stop()
    return by_kind, time.monotonic() - began


def _wait_until_heard(rig: Rig, name: str) -> None:
    """Publish from devices of this name until something arrives: the ingest is subscribed then.

    Raises:
        UnavailableError: nothing arrived.

    """
    with Fleet(rig.broker_port, rig.folder / f"{name}.journal", prefix=f"nemesis-{name}", per_s=20, seed=0) as fleet:
        deadline = time.monotonic() + _START_PATIENCE_S
        with rig.connect() as connection:
            before = rig.received(connection)
            while rig.received(connection) == before:
                rig.supervise()
                if time.monotonic() > deadline:
                    message = f"the ingest stored nothing: see {rig.folder / 'ingest.log'}"
                    raise UnavailableError(message)
                time.sleep(_LOOK_S)
        fleet.stop()


def _storm(rig: Rig, kinds: dict[str, Kind], faults: list[Fault], tell: Tell) -> Counter[str]:
    """Inject the faults at their times; those whose target is broken already wait for it."""
    began = time.monotonic()
    waiting = list(faults)
    ends: list[tuple[float, int, str, Act]] = []
    number = count()
    broken: set[str] = set()
    done: Counter[str] = Counter()
    while waiting or ends:
        now = time.monotonic() - began
        while ends and ends[0][0] <= now:
            _, _, target, end = heapq.heappop(ends)
            end(rig)
            broken.discard(target)
        due = next((f for f in waiting if f.at_s <= now and _is_possible(kinds[f.name], broken)), None)
        if due is None:
            rig.supervise()
            time.sleep(_LOOK_S / 2)
            continue
        waiting.remove(due)
        kind = kinds[due.name]
        kind.begin(rig)
        done[due.name] += 1
        tell(done.total(), len(faults))
        if kind.end is not None:
            broken.add(kind.target)
            heapq.heappush(ends, (time.monotonic() - began + due.lasts_s, next(number), kind.target, kind.end))
    return done


def _is_possible(kind: Kind, broken: set[str]) -> bool:
    return not broken & {kind.target, *kind.whole}


def _drain(rig: Rig, is_done: Callable[[], bool], quiet_s: float = _QUIET_S) -> float:
    """Wait until all has arrived, or for long nothing more does; how long that took [s]."""
    began = changed = time.monotonic()
    seen: tuple[int, int] | None = None
    while time.monotonic() < changed + quiet_s:
        rig.supervise()
        with rig.connect() as connection:
            now = rig.received(connection), nemesis.live_counters(connection)[1]
        if now != seen:
            seen, changed = now, time.monotonic()
        elif now[1] == 0 and is_done():
            break
        time.sleep(5 * _LOOK_S)
    return time.monotonic() - began


def _judgement(rig: Rig, folder: Path, prefix: str) -> Judgement:
    recorded = journal.Journal()
    for file in folder.glob(f"{prefix}*.journal"):
        one = journal.read(file)
        recorded.sent |= one.sent
        recorded.acknowledged |= one.acknowledged
        recorded.publishes += one.publishes
    with rig.connect() as connection:
        return judge(recorded, nemesis.stored(connection), nemesis.dead_letters(connection), prefix=prefix)


def _verdict(rig: Rig, folder: Path) -> dict[str, Any]:
    found = _judgement(rig, folder, "storm")
    with rig.connect() as connection:
        counters = nemesis.counters(connection)
        unanswered, violations = nemesis.watched(connection)
        letters = len(nemesis.dead_letters(connection))
    messages = _judgement(rig, folder, "").messages
    settled = counters["stored"] + counters["duplicate"] + counters["dead_lettered"]
    broken = {
        "lost": found.lost,
        "doubled": found.doubled,
        "altered": found.altered,
        "misplaced": found.misplaced,
        "invented": found.invented,
    }
    return {
        "published": found.published,
        "publishes": found.publishes,
        "stored": found.stored,
        "dead_lettered": found.dead_lettered,
        **{name: len(identities) for name, identities in broken.items()},
        "examples": {name: list(identities[:_EXAMPLES]) for name, identities in broken.items() if identities},
        "equation_violations": violations,
        "counters_agree": messages == counters["stored"] + unanswered
        and letters >= counters["dead_lettered"]
        and min(settled, counters["received"]) >= found.publishes,
        "counters": counters | {"messages": messages, "letters": letters, "commits_without_answer": unanswered},
    }


def _forgetful_broker(rig: Rig, plan: Plan, folder: Path) -> dict[str, int]:
    """SIGKILL the broker: what it acknowledged and had not passed on is gone with it. Counted, and blamed on nobody."""
    rig.start_ingest()
    with Fleet(
        rig.broker_port, folder / "forgotten.journal", prefix="forgotten", per_s=plan.per_s, seed=plan.seed
    ) as fleet:
        for _ in range(plan.broker_kills):
            time.sleep(1)
            rig.restart_broker(signal.SIGKILL)
            rig.supervise()
        time.sleep(1)
        fleet.stop()
    _wait_until_heard(rig, "last")
    _drain(rig, lambda: True)
    found = _judgement(rig, folder, "forgotten")
    return {"kills": plan.broker_kills, "published": found.published, "missing": len(found.lost)}
