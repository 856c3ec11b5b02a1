"""Code concerned with forecasts that know covariates: a plain model, and what weather or events change about its forecast.

What the plain model missed in the past is explained, by ridge regression, by what was expected at that time of the
covariates at the target, and by how that differs from what had just been. Because the regression sees covariates as they
were forecast then, it leans on them only as far as their forecasts could be relied on at that lead time, and what they
miss is in the errors from which intervals are made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.contract import Fitted, Forecaster, Patient, Shared, bounded, rolling
from models.covariates import Covariates, Times
from models.panel import Panel, Values
from models.selection import choice_bands

_DAY_US: Final = 86_400_000_000
_HOUR_US: Final = 3_600_000_000
_ORIGINS: Final = 400
_NUMBERS: Final = 40_000_000  # of all forecasts that are learnt from, at most
_LEADS: Final = 12  # of a band of lead times that are learnt from
_FIRST_SHARE: Final = 0.25  # of the history in which the plain model is still learning
_FEWEST: Final = 24  # origins to learn from
_FORESEEN: Final = 0.5  # of the targets about which something was said, from which a variable counts as forecast
_CLIP: Final = 4.0  # times the usual miss beyond which a miss counts no more than that
_KNOTS: Final = (0.25, 0.75)
_WEEKS_BACK: Final = 4  # that say what a variable usually is at a time
_PARTS: Final = 4  # of the day, in which a variable may matter differently
_FLAT: Final = 1e-9  # of a scaled feature that never changes
_PENALTY: Final = 0.02  # per row, on standardised features


@dataclass(frozen=True, kw_only=True, slots=True)
class Informed:
    """A plain model, corrected by what covariates say; without covariates it is the plain model itself.

    Assumes that a variable acts on all days alike, curved and by part of the day, in each band of lead times in its own
    way. What is not known of it changes nothing; values beyond those ever seen count as the last that was.

    Attributes:
        plain: the model that is corrected.
        from_midnights: learn from forecasts issued at local midnights alone, for a plain model that is slow at others.

    """

    plain: Forecaster
    from_midnights: bool = False

    @property
    def name(self) -> str:
        """That of the plain model with what was added."""
        return f"{self.plain.name}_informed"

    @property
    def shifts(self) -> bool:
        """As the plain model."""
        return self.plain.shifts

    @property
    def least_days(self) -> int:
        """As the plain model."""
        return self.plain.least_days if isinstance(self.plain, Patient) else 0

    def fit(self, panel: Panel, steps: int) -> Fitted:
        """Fit the plain model, and then what it misses."""
        return self._informed(self.plain.fit(panel, steps), panel, steps)

    def fit_at(self, panel: Panel, ends: Sequence[int], steps: int) -> list[Fitted]:
        """As `fit` to each of the beginnings; the plain model shares its work if it can."""
        if not isinstance(self.plain, Shared):
            return [self.fit(panel.cut(end), steps) for end in ends]
        fits = self.plain.fit_at(panel, ends, steps)
        return [self._informed(one, panel.cut(end), steps) for one, end in zip(fits, ends, strict=True)]

    def _informed(self, plain: Fitted, panel: Panel, steps: int) -> Fitted:
        if panel.covariates is None:
            return plain
        return FittedInformed(
            plain=plain, bands=self._learn(plain, panel, panel.covariates, steps), names=panel.covariates.names
        )

    def _origins(self, panel: Panel, steps: int) -> Times:
        """Where to learn from: all over the history, after its first quarter."""
        day = panel.steps_per_day
        first = max(min(28 * day, panel.length // 2), round(_FIRST_SHARE * panel.length))
        most = max(1, min(_ORIGINS, _NUMBERS // max(1, panel.sensors * steps)))
        if self.from_midnights:
            _, slots = panel.local(first, panel.length - first)
            midnights = first + np.flatnonzero(slots == 0)
            return midnights[:: -(-len(midnights) // most) or 1]
        return np.arange(first, panel.length, max(1, (panel.length - first) // most) | 1)

    def _learn(self, plain: Fitted, panel: Panel, covariates: Covariates, steps: int) -> tuple[_Band, ...]:
        """Explain what the plain model missed, in each band of lead times and for each place."""
        origins = self._origins(panel, steps)
        if len(origins) < _FEWEST or not covariates.names:
            return ()
        made = rolling(plain, panel, origins, steps)
        learnt = []
        for part in choice_bands(np.arange(steps), panel.steps_per_day):
            leads = np.unique(np.linspace(part.start, part.stop - 1, min(_LEADS, len(part))).astype(np.int64))
            columns = origins[:, None] + leads
            inside = columns < panel.length
            truth = np.where(inside, panel.values[:, np.where(inside, columns, 0)], np.nan).transpose(1, 0, 2)
            missed = truth - made[:, :, leads]
            places = []
            for place in np.unique(covariates.places):
                expected = _Expected.of(covariates, int(place), panel, origins, leads)
                places.append((int(place), _Learnt.of(expected, panel, missed[:, covariates.places == place])))
            learnt.append(_Band(leads=part, places=tuple(places)))
        return tuple(learnt)


@dataclass(frozen=True, kw_only=True, slots=True)
class FittedInformed:
    """The plain model and its corrections by band of lead times and place."""

    plain: Fitted
    bands: tuple[_Band, ...]
    names: tuple[str, ...]

    def forecast(self, panel: Panel, steps: int) -> Values:
        """What the plain model forecasts plus what the covariates change about it."""
        return np.asarray(self._corrected(self.plain.forecast(panel, steps)[None], panel, np.array([panel.length]))[0])

    def rolling(self, panel: Panel, origins: NDArray[np.int64], steps: int) -> Values:
        """As `forecast` from each origin, with what came before it."""
        return self._corrected(rolling(self.plain, panel, origins, steps), panel, origins)

    def _corrected(self, points: Values, panel: Panel, origins: NDArray[np.int64]) -> Values:
        covariates = panel.covariates
        if covariates is None or covariates.names != self.names or not len(origins):
            return points
        result = points.copy()
        for band in self.bands:
            leads = np.arange(band.leads.start, min(band.leads.stop, points.shape[2]))
            if not len(leads):
                break
            for place, learnt in band.places:
                mine = np.flatnonzero(covariates.places == place)
                change = learnt.change(_Expected.of(covariates, place, panel, origins, leads), panel)
                result[np.ix_(np.arange(len(origins)), mine, leads)] += change
        return bounded(result, panel)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Band:
    """Corrections of one band of lead times, by place."""

    leads: range
    places: tuple[tuple[int, _Learnt], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Expected:
    """What was expected of each variable: at the targets, a day or days before them, weeks before, and just now.

    Arrays are variables x origins x leads, of `weeks` weeks x variables x origins x leads, of `lately` variables x origins
    x 1; `slots` is the targets' local time.
    """

    ahead: Values
    said: NDArray[np.bool_]
    before: Values
    weeks: Values
    lately: Values
    slots: Times

    @classmethod
    def of(cls, covariates: Covariates, place: int, panel: Panel, origins: Times, leads: Times) -> _Expected:
        by = (panel.start_us + origins * panel.step_us)[:, None]
        targets = by + leads * panel.step_us
        days = (leads // panel.steps_per_day + 1) * _DAY_US
        hours = by - np.arange(1, 25) * _HOUR_US
        found = [covariates.known(place, k, targets, by) for k in range(len(covariates.names))]
        before = [covariates.known(place, k, targets - days, by)[0] for k in range(len(covariates.names))]
        recent = [covariates.known(place, k, hours, by)[0] for k in range(len(covariates.names))]
        first_week = leads // (7 * panel.steps_per_day) + 1
        weeks = [
            [
                covariates.known(place, k, targets - (first_week + week) * 7 * _DAY_US, by)[0]
                for k in range(len(covariates.names))
            ]
            for week in range(_WEEKS_BACK)
        ]
        known = np.isfinite(recent)
        count = known.sum(axis=2, keepdims=True)
        lately = np.where(known, recent, 0.0).sum(axis=2, keepdims=True) / np.maximum(count, 1)
        first = int(origins[0])
        _, slots = panel.local(first, int(origins.max()) - first + int(leads[-1]) + 1)
        return cls(
            ahead=np.array([one for one, _ in found]),
            said=np.array([one for _, one in found]),
            before=np.array(before),
            weeks=np.array(weeks),
            lately=np.where(count > 0, lately, np.nan),
            slots=slots[(origins - first)[:, None] + leads],
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Shapes:
    """How variables become features; arrays are by variable, `limits` least and largest value that was ever expected.

    `foreseen` says which variables had been forecast; of those a value that only stands in says nothing.
    """

    foreseen: NDArray[np.bool_]
    middle: Values
    spread: Values
    knots: Values
    limits: Values

    @classmethod
    def of(cls, seen: _Expected) -> _Shapes:
        """As the values expected at the targets are spread."""
        count = len(seen.ahead)
        foreseen = seen.said.reshape(count, -1).mean(axis=1) >= _FORESEEN
        middle, spread, limits = np.zeros(count), np.zeros(count), np.zeros((count, 2))
        knots = np.zeros((count, len(_KNOTS)))
        for k in range(count):
            known = seen.ahead[k][seen.said[k] | (not foreseen[k])]
            known = known[np.isfinite(known)]
            if len(known) and np.ptp(known) > 0:
                middle[k], spread[k], limits[k] = known.mean(), known.std(), (known.min(), known.max())
                knots[k] = (np.quantile(known, _KNOTS) - middle[k]) / spread[k]
        return cls(foreseen=foreseen, middle=middle, spread=spread, knots=knots, limits=limits)

    def features(self, expected: _Expected, panel: Panel) -> Values:
        """Origins x leads x features, NaN where something is not known; variables that never change have none."""
        ahead = np.where(self.foreseen[:, None, None] & ~expected.said, np.nan, expected.ahead)
        part = expected.slots * _PARTS // panel.steps_per_day
        made = []
        for k in (int(one) for one in np.flatnonzero(self.spread)):
            now, before, lately, *weeks = (
                (np.clip(one, *self.limits[k]) - self.middle[k]) / self.spread[k]
                for one in (ahead[k], expected.before[k], expected.lately[k], *expected.weeks[:, k])
            )
            bent, bent_before = self._bent(k, now), self._bent(k, before)
            usually = np.mean([self._bent(k, one) for one in weeks], axis=0)
            own = [*bent, *(bent - bent_before), *(bent - usually)]
            made += [now - lately, *own]
            made += [one * (part == number) for number in range(_PARTS) for one in own]
        return np.stack(made, axis=-1) if made else np.zeros((*ahead.shape[1:], 0))

    def _bent(self, variable: int, values: Values) -> Values:
        """A scaled variable as it is, and how far it is above each of its knots (1 + knots x the shape of the values)."""
        return np.stack([values, *(np.maximum(values - knot, 0.0) for knot in self.knots[variable])])


@dataclass(frozen=True, kw_only=True, slots=True)
class _Learnt:
    """What a feature changes at a place: `coefficients` is standardised features x sensors."""

    shapes: _Shapes
    mean: Values
    scale: Values
    coefficients: Values

    @classmethod
    def of(cls, seen: _Expected, panel: Panel, missed: Values) -> _Learnt:
        """Learn from what was expected and what was missed (origins x sensors x leads)."""
        shapes = _Shapes.of(seen)
        made = shapes.features(seen, panel)
        rows = made.reshape(made.shape[0] * made.shape[1], made.shape[2])
        known = np.isfinite(rows)
        count = np.maximum(known.sum(axis=0), 1)
        mean = np.where(known, rows, 0.0).sum(axis=0) / count
        centred = np.where(known, rows - mean, 0.0)
        scale = np.sqrt((centred**2).sum(axis=0) / count)
        scale = np.where(scale > _FLAT, scale, np.inf)
        wanted = missed.transpose(0, 2, 1).reshape(len(rows), missed.shape[1])
        return cls(shapes=shapes, mean=mean, scale=scale, coefficients=_solved(centred / scale, wanted))

    def change(self, expected: _Expected, panel: Panel) -> Values:
        """What is added to the plain forecast (origins x sensors x leads), nothing where nothing is known."""
        features = (self.shapes.features(expected, panel) - self.mean) / self.scale
        return np.asarray((np.nan_to_num(features) @ self.coefficients).transpose(0, 2, 1))


def _solved(rows: Values, missed: Values) -> Values:
    """Ridge coefficients (features x sensors) of misses (rows x sensors), of which some are not known.

    All sensors share one Gram matrix; a sensor that is known in a share of the rows has that share of it.
    """
    known = np.isfinite(missed)
    count = known.sum(axis=0)
    size = np.where(known, np.abs(missed), 0.0).sum(axis=0) / np.maximum(count, 1)
    size = np.where(size > 0, size, 1.0)
    left = np.where(known, np.clip(missed / size, -_CLIP, _CLIP), 0.0)
    values, vectors = np.linalg.eigh(rows.T @ rows)
    share = count / max(1, len(rows))
    inside = share * np.maximum(values, 0.0)[:, None] + _PENALTY * np.maximum(count, 1.0)
    return np.asarray(vectors @ (vectors.T @ (rows.T @ left) / inside) * size)
