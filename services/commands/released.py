"""`arterial forecast released`: forecast what will be released of household load and presence."""

from __future__ import annotations

from typing import Annotated

import typer

from services.commands.output import AsJson, report
from services.commands.times import moment


def released(
    *,
    at: Annotated[
        str | None, typer.Option(help="From what had been released by then, such as 2026-11-22T08:00:00Z.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Forecast the two days after the newest release of each released series, from released numbers alone.

    The worker does this every hour for new releases; a release that has its forecast is left as it is.
    """
    from services.forecasting.released_run import forecast_released
    from services.settings import load_settings

    issued_at = None if at is None else moment(at, "--at")
    done = forecast_released(load_settings(), issued_at=issued_at)
    lines = []
    for one in done:
        if one.run is None:
            lines.append(f"{one.plan}: not forecast, {one.why}.")
            continue
        states = ", ".join(f"{count} {state}" for state, count in sorted(one.states.items())) or "none"
        lines.append(f"{one.plan}: places {states}, from {one.days} released days to {one.last_day}.")
        lines += [f"  not forecast, {count} places: {reason}" for reason, count in sorted(one.not_forecast.items())]
    report(
        {
            "released": [
                {
                    "plan": one.plan,
                    "run": one.run,
                    "why": one.why,
                    "last_day": one.last_day,
                    "days": one.days,
                    "states": one.states,
                    "not_forecast": one.not_forecast,
                    "seconds": round(one.seconds, 3),
                }
                for one in done
            ]
        },
        lines,
        as_json=as_json,
    )
