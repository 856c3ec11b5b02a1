"""Code concerned with learning a kind of sensors of one shard, and with taking up what was learnt before.

At night everything is learnt from the whole history. By day only what has come since is read, laid over the history that
was kept, and forecast with the models of the night: the result is what those models make of the whole history.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np

from models.calendar import Calendar
from models.congestion import Roads
from models.habits import Habits
from models.panel import Panel, Values
from models.recalibration import Recalibration
from models.selection import Selected
from models.steering import over_leads, steer
from services.domain import Kind, from_us, to_us
from services.forecasting.covariate_files import Key, Said
from services.forecasting.covariate_store import attached, told
from services.forecasting.freezing import code_hash, freeze
from services.forecasting.grid import by_step, extended, to_panel
from services.forecasting.keeping import fetch
from services.forecasting.roads import FLOW, SPEED, better_chances, learnt_habits, learnt_roads, told_roads
from services.forecasting.series import learn, never_negative
from services.storage import fitted, forecasts, panels
from services.storage.database import Connection
from services.storage.fitted import Learnt
from services.storage.panels import PanelSensor

HORIZON: Final = {
    Kind.TRAFFIC: timedelta(hours=24),
    Kind.ENERGY: timedelta(hours=48),
    Kind.ENVIRONMENT: timedelta(hours=24),
}
OLDEST_LEARNT: Final = timedelta(hours=48)
"""What was learnt longer ago is learnt anew before the next forecast, should the nights have failed."""
STEERED_BY: Final = timedelta(days=90)
"""Days of the scorecard that steer the width of intervals."""

_HOUR_US: Final = 3_600_000_000
_DAY_US: Final = 24 * _HOUR_US
_GROWN: Final = 1.5
_YOUNG_US: Final = 28 * _DAY_US


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """One quantity of sensors that share a step: what is known, and what was learnt from it just now or earlier.

    `roads` is what the history shows of them, `habits` how often each hour was congested, and `better` makes chances of
    congestion come true as often as they say; speeds have these. `log_width` is how far intervals are steered by what those
    of the last months held.
    """

    quantity: str
    panel: Panel
    selected: Selected
    trained_to_us: int
    is_new: bool
    roads: Roads | None = None
    habits: Habits | None = None
    better: Recalibration | None = None
    log_width: Values | None = None

    @property
    def step_seconds(self) -> int:
        """The step at which it is forecast."""
        return self.panel.step_seconds


@dataclass(frozen=True, kw_only=True, slots=True)
class History:
    """Which history is read: `days` before `until_us`, as known now, or as received by a time."""

    until_us: int
    days: int
    calendar: Calendar
    received_by: datetime | None = None

    @property
    def since_us(self) -> int:
        """Its start, a full hour."""
        return (self.until_us - self.days * _DAY_US) // _HOUR_US * _HOUR_US

    @property
    def config_hash(self) -> str:
        """What the result depends on besides the data."""
        return hashlib.sha256(f"{code_hash()} {self.days} {self.calendar}".encode()).hexdigest()[:32]


def steps_of(kind: Kind, step_seconds: int) -> int:
    """How many steps ahead a kind is forecast."""
    return HORIZON[kind] // timedelta(seconds=step_seconds)


def learn_kind(
    connection: Connection,
    kind: Kind,
    sensors: Sequence[PanelSensor],
    wanted: History,
    *,
    plainly: bool = False,
    earlier: Mapping[int, Recalibration] | None = None,
) -> list[Group]:
    """Read the whole history of some sensors and fit their models, plainly as in `series.learn`.

    `earlier` is what earlier nights have learnt of chances of congestion, as `remembered` tells it.
    """
    read = panels.history(
        connection,
        kind,
        [one.id for one in sensors],
        since=from_us(wanted.since_us),
        until=from_us(wanted.until_us),
        received_by=wanted.received_by,
    )
    said = _told(connection, wanted)
    groups: list[Group] = []
    for step, ids in sorted(by_step(sensors, read).items()):
        for one in read:
            panel = to_panel(
                one,
                ids,
                step_seconds=step,
                until_us=wanted.until_us,
                calendar=wanted.calendar,
                nonnegative=never_negative(one.quantity),
            )
            if panel.sensors:
                panel = attached(panel, said, sensors)
                selected = learn(panel, steps_of(kind, step), plainly=plainly, on_roads=kind is Kind.TRAFFIC)
                groups.append(
                    Group(
                        quantity=one.quantity, panel=panel, selected=selected, trained_to_us=panel.end_us, is_new=True
                    )
                )
    if wanted.received_by is None:  # the scorecard does not tell what it held at an earlier time
        groups = [replace(one, log_width=_steered(connection, one, steps_of(kind, one.step_seconds))) for one in groups]
    nights = earlier or {}
    return [
        _on_roads(one, groups, sensors, nights.get(one.step_seconds)) if one.quantity == SPEED else one
        for one in groups
    ]


def remembered(
    connection: Connection, kind: Kind, shard: int, wanted: History, folder: Path
) -> dict[int, Recalibration]:
    """How the last night made chances of congestion come true as often as they say, by step in seconds.

    Empty where another version learnt it, and for a history as of an earlier time, which has not seen that night.
    """
    if kind is not Kind.TRAFFIC or wanted.received_by is not None:
        return {}
    rows = [one for one in fitted.of_shard(connection, shard) if (one.kind, one.quantity) == (kind, SPEED)]
    kept = {one.step_seconds: fetch(connection, one, folder) for one in rows if one.config_hash == wanted.config_hash}
    return {step: one["better"] for step, one in kept.items() if one is not None and one["better"] is not None}


def _told(connection: Connection, wanted: History) -> dict[Key, Said]:
    return told(
        connection,
        wanted.calendar,
        since_us=wanted.since_us,
        until_us=wanted.until_us,
        received_by=wanted.received_by,
    )


def _steered(connection: Connection, group: Group, steps: int) -> Values | None:
    since = (from_us(group.panel.end_us) - STEERED_BY).date()
    ids = [int(name) for name in group.panel.names]
    minutes, scored, inside = forecasts.held(connection, ids, group.quantity, since=since)
    leads = minutes * 60 // group.step_seconds
    mine = leads > 0
    return over_leads(steer(scored[:, mine], inside[:, :, mine]), leads[mine], steps) if mine.any() else None


def _on_roads(
    group: Group, groups: Sequence[Group], sensors: Sequence[PanelSensor], before: Recalibration | None
) -> Group:
    """With what the history shows of the roads, and how chances of congestion come true as often as they say."""
    flow = next((one for one in groups if (one.quantity, one.step_seconds) == (FLOW, group.step_seconds)), None)
    flow_panels = [] if flow is None else [flow.panel]
    learnt = learnt_roads(group.panel, flow_panels)
    known = told_roads(learnt, group.panel.names, sensors)
    better = better_chances(
        known,
        (group.panel, group.selected),
        None if flow is None else (flow.panel, flow.selected),
        before,
    )
    return replace(group, roads=learnt, habits=learnt_habits(group.panel, flow_panels, known), better=better)


def keepable(
    groups: Sequence[Group], kind: Kind, shard: int, wanted: History, now: datetime
) -> list[tuple[Learnt, bytes]]:
    """What is kept of groups that were just learnt; histories as single precision, as roll-ups are."""
    made = []
    for group in groups:
        panel = group.panel
        selected = group.selected
        if kind is not Kind.ENERGY:  # of others nothing is added up
            selected = replace(selected, errors=np.empty((0, 0, 0), dtype=np.float32))
        content = freeze(
            {
                "selected": selected,
                "names": panel.names,
                "values": panel.values.astype(np.float32),
                "start_us": panel.start_us,
                "nonnegative": panel.nonnegative,
                "roads": group.roads,
                "habits": group.habits,
                "better": group.better,
                "log_width": group.log_width,
            }
        )
        learnt = Learnt(
            shard=shard,
            kind=str(kind),
            quantity=group.quantity,
            step_seconds=group.step_seconds,
            trained_at=now,
            trained_to=from_us(wanted.until_us),
            config_hash=wanted.config_hash,
            digest=hashlib.sha256(content).hexdigest(),
        )
        made.append((learnt, content))
    return made


@dataclass(frozen=True, kw_only=True, slots=True)
class TakenUp:
    """What can be used of the last learning, and the sensors for which it says too little or nothing."""

    groups: list[Group]
    outdated: list[PanelSensor]
    is_usable: bool


def take_up(
    connection: Connection, kind: Kind, shard: int, sensors: Sequence[PanelSensor], wanted: History, folder: Path
) -> TakenUp:
    """Bring what was learnt of a kind in a shard up to now, reading only what has come since about a day before.

    Readings that came later than that after their time are learnt from in the next night.
    """
    begins = panels.oldest(
        connection,
        kind,
        [one.id for one in sensors],
        since=from_us(wanted.since_us),
        until=from_us(wanted.until_us),
    )
    rows = [one for one in fitted.of_shard(connection, shard) if one.kind == kind]
    fresh = [one for one in rows if _is_fresh(one, wanted)]
    kept = [(one, fetch(connection, one, folder)) for one in fresh]
    known = [(one, content) for one, content in kept if content is not None]
    everyone = [one for one in sensors if one.id in begins]
    if len(known) < len(rows) or (begins and not rows):
        return TakenUp(groups=[], outdated=everyone, is_usable=False)
    if not known:
        return TakenUp(groups=[], outdated=[], is_usable=True)
    trained_us = min(to_us(one.trained_to) for one, _ in known)
    since_us = (trained_us - _DAY_US) // _DAY_US * _DAY_US
    named = sorted({int(name) for _, content in known for name in content["names"]})
    recent = {
        one.quantity: one
        for one in panels.history(connection, kind, named, since=from_us(since_us), until=from_us(wanted.until_us))
    }
    said = _told(connection, wanted)
    groups = []
    started: dict[int, int] = {}
    for one, content in known:
        panel = _kept_panel(content, one.step_seconds, wanted.calendar)
        _note_starts(started, panel)
        grown = extended(panel, recent.get(one.quantity), since_us=since_us, until_us=wanted.until_us)
        groups.append(
            Group(
                quantity=one.quantity,
                panel=attached(grown, said, sensors),
                selected=content["selected"],
                trained_to_us=to_us(one.trained_to),
                is_new=False,
                roads=content["roads"],
                habits=content["habits"],
                better=content["better"],
                log_width=content["log_width"],
            )
        )
    outdated = [
        one for one in everyone if _says_too_little(begins[one.id], started.get(one.id), trained_us, wanted.until_us)
    ]
    return TakenUp(groups=groups, outdated=outdated, is_usable=True)


def _is_fresh(one: Learnt, wanted: History) -> bool:
    age_us = wanted.until_us - to_us(one.trained_to)
    return one.config_hash == wanted.config_hash and 0 <= age_us <= OLDEST_LEARNT // timedelta(microseconds=1)


def _kept_panel(content: Any, step_seconds: int, calendar: Calendar) -> Panel:
    return Panel(
        names=content["names"],
        values=content["values"].astype(np.float64),
        start_us=content["start_us"],
        step_seconds=step_seconds,
        calendar=calendar,
        nonnegative=content["nonnegative"],
        part_of_checked=True,
    )


def _note_starts(started: dict[int, int], panel: Panel) -> None:
    known = np.isfinite(panel.values)
    first = np.argmax(known, axis=1)
    for k in np.flatnonzero(known[np.arange(panel.sensors), first]):
        name, moment = int(panel.names[k]), panel.start_us + int(first[k]) * panel.step_us
        started[name] = min(moment, started.get(name, moment))


def _says_too_little(begins_us: int, started_us: int | None, trained_us: int, until_us: int) -> bool:
    """Whether there is much more history now than was learnt from: a new sensor, a growing one, or one filled in."""
    if started_us is None or begins_us < started_us - _DAY_US:
        return True
    learnt = trained_us - started_us
    return learnt < _YOUNG_US and until_us - begins_us >= _GROWN * learnt
