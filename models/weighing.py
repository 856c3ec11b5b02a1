"""Code concerned with which model counts how much for a sensor and a band of lead times, by errors no model had learnt from.

Most of the weight goes to what wins for a sensor (`choose`), the rest to the combination of the better models that had the least
squared error for the city, because models that err in different ways err less together. A broken sensor can move what others
get, but no further than any other sensor: its errors are counted in shares of their own mean and cut off.

References: Bates, Granger, Operational Research Quarterly 20 (1969), doi:10.1057/jors.1969.103; Claeskens, Magnus,
Vasnev, Wang, Int. J. Forecasting 32 (2016), doi:10.1016/j.ijforecast.2015.12.005 (why weights must be shrunk).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.panel import Values

_CHOICE_HOURS: Final = (1, 6, 24)
_NEAREST_HOURS: Final = 0.25
"""What comes next is chosen for apart at steps that are not longer: there the last value is hard to beat, an hour ahead it is not.

The rest of the first hour is chosen by all of the hour, so nothing changes there. On the last fifth of what precedes the
test parts of Los-loop, I-5 and Minnesota (11 pieces at 5 and 10 minutes, 5 at 15) errors of the first quarter fall by 1 to
3 % and 11 %; with the rest of the hour chosen by itself too, that rest lost 1 to 3 %.
"""
_PRIOR: Final = 10.0  # origins' worth of trust in the city's winner
_MARGIN: Final = 0.1
"""How much better than the city's winner another model has to be: what was better in one season is often not in the next.

Chosen among 0, 0.03, 0.05 and 0.1 on the Berlin flow before its test part: two stretches, each with its own training,
validation and later months, where choosing without a margin lost 4 % to the city's winner and with it gained 0.3 %.
"""
_CITY: Final = 0.4
"""Weight of the city's combination; the rest is the winner's.

This and `_WORSE` were chosen on validation origins of M_DENSE, Berlin, GB load and ETTh1, cut into halves and quarters: with
them no part lost to the winners alone, half a percent was gained on average, and weights of each sensor's own lost.
"""
_WORSE: Final = 1.3  # times the error of the city's best: a model that errs more gets no weight
_LARGEST: Final = 4.0  # times a sensor's own mean error: no error counts for more
_ROUNDS: Final = 300
_STILL: Final = 1e-6  # a weight that moves less in a round has arrived


def choice_bands(leads: NDArray[np.int64], day: int) -> list[range]:
    """Runs of places in `leads` (steps ahead from 0) for which one model is chosen.

    They reach up to a quarter of an hour where steps are not longer, an hour, six, a day, and beyond.
    """
    edges = np.searchsorted(leads, [max(1, round(day * hours / 24)) for hours in _CHOICE_HOURS])
    cuts = sorted({0, _nearest(leads, day), *(int(edge) for edge in edges), len(leads)})
    return [range(a, b) for a, b in itertools.pairwise(cuts)]


def heard_bands(leads: NDArray[np.int64], day: int) -> list[range]:
    """By what each of `choice_bands` is chosen: its own places, for the rest of the first hour all of that hour."""
    nearest = _nearest(leads, day)
    return [range(0 if part.start == nearest else part.start, part.stop) for part in choice_bands(leads, day)]


def _nearest(leads: NDArray[np.int64], day: int) -> int:
    """How many places lie within the nearest lead times, 0 where none is told apart or no other lies within the hour."""
    within, hour = np.searchsorted(leads, [int(day * _NEAREST_HOURS / 24), max(1, round(day / 24))])
    return int(within) if within < hour else 0


def choose(
    errors: Sequence[NDArray[np.floating[Any]]], parts: Sequence[range]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The best candidate of each sensor for each part, and how many origins spoke.

    Args:
        errors: one array per candidate (origins x sensors x leads), NaN where nothing was observed.
        parts: the leads by which each is chosen, see `heard_bands`.

    Returns:
        Numbers of candidates (sensors x parts), and the origins that had an observation (sensors,).

    """
    known = np.logical_and.reduce([np.isfinite(one) for one in errors])
    evidence = known.any(axis=2).sum(axis=0)
    chosen = np.empty((errors[0].shape[1], len(parts)), dtype=np.int64)
    for number, part in enumerate(parts):
        here = known[:, :, part.start : part.stop]
        count = here.sum(axis=(0, 2))
        own = np.stack(
            [
                np.where(here, np.abs(one[:, :, part.start : part.stop]), 0.0).sum(axis=(0, 2)) / np.maximum(count, 1)
                for one in errors
            ]
        )
        scale = own.mean(axis=0)
        relative = np.where(scale > 0, own / np.where(scale > 0, scale, 1.0), 1.0)
        spoke = count > 0
        city = relative[:, spoke].mean(axis=1) if spoke.any() else np.arange(len(errors), dtype=np.float64)
        weight = here.any(axis=2).sum(axis=0)
        shrunk = (relative * weight + city[:, None] * _PRIOR) / (weight + _PRIOR)
        shrunk[np.argmin(city)] *= 1 - _MARGIN
        chosen[:, number] = np.argmin(shrunk, axis=0)
    return chosen, evidence


def weigh(errors: Sequence[NDArray[np.floating[Any]]], parts: Sequence[range], winners: NDArray[np.int64]) -> Values:
    """How much each candidate counts: not negative, sum one (sensors x parts x candidates).

    Args:
        errors: one array per candidate (origins x sensors x leads), NaN where nothing was observed.
        parts: the leads by which they are weighed, see `heard_bands`.
        winners: as `choose` tells them (sensors x parts).

    """
    weights = (1 - _CITY) * np.eye(len(errors))[winners]
    for number, part in enumerate(parts):
        here = np.stack([one[:, :, part.start : part.stop] for one in errors])
        weights[:, number] += _CITY * _of_city(here, weights[:, number].sum(axis=0))
    return weights


def mean_of(made: Iterable[NDArray[np.floating[Any]]], weights: Values, parts: Sequence[range]) -> Values:
    """The weighted mean of what candidates made (... x sensors x leads), by weights (sensors x parts x candidates).

    The parts may reach further than the leads. What a candidate of no weight made does not matter.
    """
    shares = np.repeat(weights, [len(part) for part in parts], axis=1)
    total: Values | None = None
    for k, one in enumerate(made):
        share = shares[:, : one.shape[-1], k]
        term = np.where(share > 0, share * one, 0.0)
        total = term if total is None else total + term
    if total is None:
        message = "the mean of no candidate"
        raise ValueError(message)
    return total


def _of_city(errors: NDArray[np.floating[Any]], votes: Values) -> Values:
    """The weights of one band that the city as a whole would take (candidates,).

    Args:
        errors: candidates x origins x sensors x leads, NaN where nothing was observed.
        votes: what wins where nothing has been observed.

    """
    known: NDArray[np.bool_] = np.isfinite(errors).all(axis=0)
    missed = np.where(known, errors, 0.0)
    count = known.sum(axis=(0, 2))
    own = np.abs(missed).sum(axis=(1, 3), dtype=np.float64) / np.maximum(count, 1)
    scale = own.mean(axis=0)
    spoke = (count > 0) & (scale > 0)
    result = np.zeros(len(missed))
    if not spoke.any():
        result[np.argmax(votes)] = 1.0
        return result
    relative = (own[:, spoke] / scale[spoke]).mean(axis=1)
    kept = np.flatnonzero(relative <= _WORSE * relative.min())
    share = 1 / np.sqrt(count[spoke])  # a sensor counts once, however often it was observed
    scaled = missed[kept][:, :, spoke] / scale[spoke][:, None]
    flat = (np.clip(scaled, -_LARGEST, _LARGEST) * share[:, None]).reshape(len(kept), -1)
    result[kept] = _on_simplex(flat @ flat.T)
    return result


def _on_simplex(gram: Values) -> Values:
    """The weights w, not negative and of sum one, with the least w.gram.w: by projected gradient."""
    weights = np.full(len(gram), 1 / len(gram))
    steepest = float(np.linalg.eigvalsh(gram)[-1])
    for _ in range(_ROUNDS if steepest > 0 else 0):
        moved = weights - gram @ weights / steepest
        ordered = np.sort(moved)[::-1]
        over = (np.cumsum(ordered) - 1) / np.arange(1, len(gram) + 1)
        before, weights = weights, np.maximum(moved - over[np.flatnonzero(ordered > over)[-1]], 0.0)
        if np.abs(weights - before).max() < _STILL:
            break
    return np.asarray(weights)
