"""Code concerned with the uses of algorithms that registers ask about: what each is for, what it reads, what it can bring about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from models.catalogue import FORECASTERS, SPECIAL
from services.governance.documents.facts import Facts


@dataclass(frozen=True, kw_only=True, slots=True)
class Use:
    """One use of algorithms. `kind` is the kind of sensors it forecasts; None for releases.

    `domain` is a word of the Algoritmeregister; `annex_iii` what of Annex III(2) of the AI Act it comes near to.
    """

    name: str
    kind: str | None
    title: str
    summary: str
    goal: str
    impact: str
    how: str
    source_data: str
    domain: str
    nature: Literal["descriptive", "predictive"]
    learning: Literal["self-learning", "rule-based"]
    annex_iii: str


_HOW_FORECASTS: Final = (
    "Every quarter of an hour the newest readings of each sensor are brought onto a regular grid, with what is bad or missing "
    "left out. For each sensor, quantity and band of lead times the model serves that erred least on origins before the issue "
    "time; plain models (the last value, the value of a week before) are among the candidates. Seven quantiles come from the "
    "errors the model made before under like conditions, and their width follows how many observations the intervals held. "
    "A sensor that is silent or too new gets a plainer model and says so (degraded, stale). What was issued is never changed; "
    "once its time has passed every forecast is scored beside the value of the same time a week before, and the scores are "
    "public."
)
_HOW_RELEASES: Final = (
    "Readings of vehicles, households, bicycle trips and charging sessions are stored under pseudonyms that change every local day. When a day has closed, the "
    "contribution of each subject to each figure is bounded, the bounded figures are added up on a grid that is fixed and "
    "public, the price is charged to a ledger, and only then exact discrete noise is drawn and added. Figures whose noisy "
    "count stays below the plan's threshold are withheld, the others rounded; a withheld figure and a zero look alike. The "
    "result is stored and never drawn again, so that asking often, or in other words, brings nothing new. The rows and the "
    "key of the day are destroyed. The rules are fixed in versioned plans; nothing is learnt for a release. What was released of "
    "household load by half hour and of vehicles by cell and hour is forecast for the two days after, from released numbers "
    "alone, with the same models and intervals as sensors, and compared with what is then released."
)

USES: Final = (
    Use(
        name="traffic_forecast",
        kind="traffic",
        title="Forecast of road traffic",
        summary="Forecasts flow and speed at the city's traffic detectors for the coming hours, with intervals.",
        goal="Let operators see congestion coming, and planners compare days, from detectors that count vehicles.",
        impact="People meet it only through what operators and planners decide with it; it addresses nobody and controls nothing.",
        how=_HOW_FORECASTS,
        source_data="Counts, speeds and occupancy of fixed traffic detectors; public holidays. No personal data.",
        domain="traffic and transportation",
        nature="predictive",
        learning="self-learning",
        annex_iii="road traffic",
    ),
    Use(
        name="energy_forecast",
        kind="energy",
        title="Forecast of electric load",
        summary="Forecasts the power of the city's feeders for the coming two days, with intervals.",
        goal="Let operators see when feeders come near their limit, and planners compare days and districts.",
        impact="People meet it only through what operators and planners decide with it; it addresses nobody and switches nothing.",
        how=_HOW_FORECASTS,
        source_data="Power of fixed feeder meters, each the sum of many connections; public holidays. No household's reading.",
        domain="environment, spacial planning and water",
        nature="predictive",
        learning="self-learning",
        annex_iii="supply of electricity",
    ),
    Use(
        name="private_aggregates",
        kind=None,
        title="Private aggregates",
        summary="Publishes noisy totals of vehicles, households, trips and charging that hide whether any one was there.",
        goal="Show how streets and energy are used without telling on anyone.",
        impact="People whose vehicle or meter reports are counted; what is published is about equally likely without them.",
        how=_HOW_RELEASES,
        source_data="Positions of vehicles, energy of households, bicycle trips and charging sessions under daily pseudonyms, "
        "destroyed within two days.",
        domain="traffic and transportation",
        nature="descriptive",
        learning="rule-based",
        annex_iii="none",
    ),
)


def methods(facts: Facts, use: Use) -> str:
    """The methods that are in use now, or that could be."""
    if use.kind is None:
        used = sorted({measure.mechanism for plan in facts.plans for measure in plan.measure})
        return f"Contribution bounding, {', '.join(used) or 'no mechanism: no plan is on'}, threshold on noisy counts, rounding."
    serving = sorted({one.model for one in facts.served if one.kind == use.kind})
    known = ", ".join(model.name for model in (*FORECASTERS, *SPECIAL))
    return f"Serving now: {', '.join(serving) or 'none yet'}. Known models: {known}."


def training_data(facts: Facts, use: Use) -> str:
    """What was learnt from, as the newest round says."""
    if use.kind is None:
        return (
            "None for releases: plans and their numbers are fixed before any data is looked at. Forecasts of what will be "
            f"released learn from released numbers of at most {facts.settings.forecast_history_days} days. No personal data."
        )
    mine = [one for one in facts.served if one.kind == use.kind and one.trained_from and one.trained_to]
    sensors = facts.sensors.get(use.kind, 0)
    if not mine:
        return (
            f"Nothing yet: no forecast was issued within two days. {sensors} sensors of kind {use.kind} are registered."
        )
    first = min(one.trained_from for one in mine if one.trained_from is not None)
    last = max(one.trained_to for one in mine if one.trained_to is not None)
    return (
        f"Readings of {sensors} sensors of kind {use.kind} from {first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M} UTC, as the "
        f"newest round says; at most {facts.settings.forecast_history_days} days are learnt from. No personal data."
    )


def performance(facts: Facts, use: Use) -> str:
    """What the scorecard, or the newest releases, say."""
    if use.kind is None:
        return _performance_of_releases(facts)
    mine = [row for row in facts.scores if row.kind == use.kind and row.lead_minutes is not None]
    if not mine:
        return "No forecast of the last week has been scored yet."
    parts = []
    for quantity in sorted({row.quantity for row in mine}):
        rows = [row for row in mine if row.quantity == quantity]
        n = sum(row.n for row in rows)
        mae = sum(row.mae * row.n for row in rows) / n
        held = sum(row.coverage_80 * row.n for row in rows) / n
        parts.append(
            f"{quantity}: mean absolute error {mae:.4g}, 80 % intervals held {100 * held:.1f} % of {n} observations"
        )
    return f"Last week, all lead times: {'; '.join(parts)}. By lead time, district and day: GET /api/v1/forecasts/scorecard."


def _performance_of_releases(facts: Facts) -> str:
    parts = []
    for plan in facts.plans:
        release = facts.newest_release(plan.name)
        if release is not None:
            shown = 1 - release.suppressed / release.cells if release.cells else 0.0
            parts.append(
                f"{plan.name} of {release.day}: {100 * shown:.1f} % of the values shown, within {release.ci95:g} (95 %)"
            )
    return f"{'; '.join(parts)}." if parts else "Nothing has been released yet."


def risks(facts: Facts, use: Use) -> str:
    """The risks that were looked at, with the measured result where there is one."""
    if use.kind is not None:
        return (
            "A wrong forecast misleads whoever relies on it: intervals, the state of each forecast and the scorecard beside "
            f"the plain value of last week are shown with it. Districts may be served worse: {fairness(facts)}"
        )
    return (
        f"Someone might learn whether a person was there: noise with a charged budget; {attacks(facts)} "
        f"Withholding may leave out sparse districts: {fairness(facts)}"
    )


def attacks(facts: Facts) -> str:
    """The last red-team result in a sentence."""
    last = facts.red_team
    if last is None:
        return "the attacks on our own releases were not run on this database (`arterial privacy attack`)."
    verdict = "every attack stayed under its limit" if last.passed else "NOT every attack stayed under its limit"
    return f"of the attacks run on {last.finished_at:%Y-%m-%d}, {verdict} (`arterial privacy attack`)."


def fairness(facts: Facts) -> str:
    """The last fairness audit in a sentence."""
    last = facts.fairness
    if last is None:
        return "no fairness audit was made on this database (`arterial governance fairness`)."
    verdict = "every gate held" if last.passed else "NOT every gate held"
    return f"in the audit of {last.audited_at:%Y-%m-%d} {verdict} (`arterial governance fairness`)."
