"""Code concerned with measuring the models on a recording and saying so, to a program and to a person."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any, Final

from models import catalogue
from models.backtest import SELECTED, Backtest, Result, backtest
from services.errors import InputError
from services.forecasting.covariate_files import Key, Said, covariates_of
from services.forecasting.datasets.recording import Recording
from services.forecasting.engine import Engine, Inline

_WITHOUT: Final = "_without_holidays"
_SELECTED_ON: Final = "validation origins before the test part, per sensor and lead times"


def informed(recording: Recording, said: Mapping[Key, Said]) -> Recording:
    """The recording with covariates, and beside its models those that use them; they know no districts.

    Raises:
        InputError: there is nothing about everywhere.

    """
    everywhere = {key: one for key, one in said.items() if key[1] is None}
    covariates = covariates_of(everywhere, [None] * recording.panel.sensors)
    if covariates is None:
        message = "the covariates are of districts, which a recording does not have; leave the district column empty"
        raise InputError(message)
    more = catalogue.informed(recording.models)
    return replace(
        recording,
        panel=replace(recording.panel, covariates=covariates),
        models=(*recording.models, *more),
        candidates=(*recording.candidates, *(one.name for one in more)),
    )


def beside(recording: Recording, names: Sequence[str]) -> Recording:
    """The recording with more models to measure, which selection does not choose from.

    Raises:
        InputError: there is no model of such a name.

    """
    try:
        more = [catalogue.forecaster(name.strip()) for name in names]
    except KeyError as error:
        message = f"--also: {error.args[0]}"
        raise InputError(message) from error
    known = {one.name for one in recording.models}
    return replace(recording, models=(*recording.models, *(one for one in more if one.name not in known)))


def evaluate(recording: Recording, progress: Callable[[int, int], None], engine: Engine | None = None) -> Backtest:
    """Every model of a recording and the selected one by its protocol, each model a piece of work for the engine.

    Raises:
        InputError: the recording is too short.

    """
    rounds = 2 if recording.without_holidays else 1
    try:
        done = _measure(recording, lambda k, total: progress(k, rounds * total), engine)
    except ValueError as error:
        message = f"{recording.name}: {error}"
        raise InputError(message) from error
    if not recording.without_holidays:
        return done
    plain = replace(recording.panel.calendar, country=None, region=None)
    unaware = replace(recording, panel=replace(recording.panel, calendar=plain))
    other = _measure(unaware, lambda k, total: progress(total + k, rounds * total), engine)
    same = {(one.model, one.horizon): one for one in done.results}
    rows = tuple(
        replace(one, model=one.model + _WITHOUT)
        for one in other.results
        if one.metrics != same[one.model, one.horizon].metrics
    )
    return replace(done, results=done.results + rows)


def _measure(recording: Recording, progress: Callable[[int, int], None], engine: Engine | None) -> Backtest:
    return backtest(
        recording.panel,
        recording.models,
        recording.protocol,
        candidates=recording.candidates,
        rows=recording.rows,
        progress=progress,
        each=(engine or Inline()).run,
    )


def document(recording: Recording, done: Backtest) -> dict[str, Any]:
    """The results as one JSON document."""
    return {
        "dataset": recording.name,
        "protocol": f"{recording.protocol.name}: {recording.protocol.description}; {done.origins} origins",
        "selected_on": _SELECTED_ON,
        "chosen": done.chosen,
        "results": [asdict(one) for one in done.results],
        "published": [asdict(one) for one in recording.published],
    }


_COLUMNS: Final = {"mae": "MAE", "rmse": "RMSE", "mse": "MSE", "wape": "WAPE", "mape": "MAPE", "mase": "MASE"}


def table(recording: Recording, done: Backtest) -> list[str]:
    """The results as lines: a block per horizon, best model first, with what others have published."""
    protocol = recording.protocol
    lines = [f"{recording.name}, {protocol.name}: {protocol.description}; {done.origins} origins"]
    lines.append(f"Selected on {_SELECTED_ON}.")
    for steps, counts in done.chosen.items():
        lines.append(f"Steps {steps}: " + ", ".join(f"{name} for {count}" for name, count in counts.items()) + ".")
    shown = [key for key in _COLUMNS if any(key in one.metrics for one in done.results)]
    for horizon in protocol.horizons:
        ahead = horizon * recording.panel.step_seconds / 3600
        title = f"+{ahead:g} h ({protocol.span})"
        lines += ["", f"{title:<44}" + "".join(f"{_COLUMNS[key]:>9}" for key in shown) + "  pinball  in 80 %  in 95 %"]
        rows: list[tuple[float, str]] = []
        for one in done.results:
            if one.horizon == horizon:
                name = f"* {SELECTED}" if one.model == SELECTED else f"  {one.model}"
                covered = "".join(f"{one.coverage[key]:>9.1%}" for key in ("0.8", "0.95"))
                line = f"{name:<44}{_cells(shown, one.metrics)}{one.metrics['pinball']:>9.3f}{covered}"
                rows.append((one.metrics[protocol.headline], line))
        for other in recording.published:
            if other.horizon == horizon:
                line = f"  {other.model + ' (published)':<42}{_cells(shown, other.metrics)}  {other.source}"
                rows.append((other.metrics.get(protocol.headline, float("inf")), line))
        lines += [line for _, line in sorted(rows)]
        ours = next((one for one in done.results if (one.model, one.horizon) == (SELECTED, horizon)), None)
        lines += [_held(ours)] if ours is not None else []
    return lines


def _held(one: Result) -> str:
    """What intervals held with its standard error, by steps ahead where a horizon is measured on many."""
    parts = [(f"steps {band}: ", shares, one.bands_uncertain[band]) for band, shares in one.bands.items()]
    told = parts or [("", one.coverage, one.uncertain)]
    return f"  {SELECTED} held " + "; ".join(
        name + " / ".join(f"{100 * shares[key]:.1f} ± {100 * errors[key]:.1f}" for key in ("0.8", "0.95")) + " %"
        for name, shares, errors in told
    )


def _cells(shown: list[str], metrics: dict[str, float]) -> str:
    return "".join(_cell(key, metrics.get(key)) for key in shown)


def _cell(key: str, value: float | None) -> str:
    if value is None:
        return f"{'':>9}"
    return f"{value:>9.2%}" if key in {"wape", "mape"} else f"{value:>9.3f}"
