"""Code concerned with saying honestly how forecasts did: beside the naive, won or lost, or not known yet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from dash import html
from dash.development.base_component import Component

from dashboards import emptiness, words
from dashboards.parts import Content, table, tag
from services.storage.scorecard import ScoreRow

_WAITING: Final = "A forecast is scored once its time has passed; scores come every hour."


def accuracy(scores: Sequence[ScoreRow], unit: str, *, waiting: str = _WAITING, ahead: str = "Ahead") -> Component:
    """A table by lead time and a sentence that says who won.

    Args:
        scores: by lead time.
        unit: of the errors.
        waiting: what is said while there are none.
        ahead: what the lead time is called.

    """
    if not scores:
        return emptiness.not_yet("No score yet", waiting)
    scaled = any(score.mase is not None for score in scores)  # sums of feeders have no scale of their own
    rows: list[list[Content]] = [
        [
            html.Span(lead_text(score.lead_minutes), className="nowrap"),
            words.number(score.mae, 1),
            words.number(score.naive_mae, 1),
            _verdict(score),
            words.number(score.mase, 2) if scaled else words.percent(score.wape, 1),
            words.percent(score.coverage_80),
            words.percent(score.coverage_90),
            words.number(score.n),
        ]
        for score in scores
    ]
    headings = [
        ahead,
        f"Mean error [{unit}]",
        f"Last week's [{unit}]",
        "Against it",
        "MASE" if scaled else "WAPE",
        "In 80 % band",
        "In 90 % band",
        "Scored",
    ]
    listing = table(headings, rows, numeric=[1, 2, 4, 5, 6, 7])
    return html.Div([html.P(conclusion(scores), className="below"), html.Div(listing, className="scroll", tabIndex=0)])


def conclusion(scores: Sequence[ScoreRow]) -> str:
    """Who won, in a sentence."""
    compared = [score for score in scores if score.naive_mae is not None]
    if not compared:
        return "There is nothing to compare with yet: a week of history is needed."
    lost = [score for score in compared if (_gain(score) or 0) < 0]
    if not lost:
        return "Better than taking the value of the same time last week, at every lead time."
    if len(lost) == len(compared):
        return (
            "Worse than taking the value of the same time last week, at every lead time: do not prefer this forecast."
        )
    leads = ", ".join(lead_text(score.lead_minutes) for score in lost)
    return f"Better than the value of the same time last week, except {leads} ahead, where the simple value was closer."


def lead_text(minutes: int) -> str:
    """A lead time: 15 min, 3 h."""
    return f"{minutes} min" if minutes < 60 else f"{minutes / 60:g} h"


def _verdict(score: ScoreRow) -> Content:
    gain = _gain(score)
    if gain is None:
        return tag("Nothing to compare", "quiet")
    if gain >= 0:
        return tag(f"{words.percent(gain)} better", "good", "good")
    return tag(f"{words.percent(-gain)} worse", "warning", "warning")


def _gain(score: ScoreRow) -> float | None:
    """By how much the forecast is closer than the naive, over the hours that both have where that is known."""
    if score.skill is not None:
        return score.skill
    return 1 - score.mae / score.naive_mae if score.naive_mae else None
