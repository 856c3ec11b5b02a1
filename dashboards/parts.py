"""Code concerned with the parts pages are made of: icons, tags, cards, key figures, charts with words, tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, TypeVar

import plotly.graph_objects as go
from dash import dcc, html
from dash.development.base_component import Component

from dashboards import theme

_Part = TypeVar("_Part", bound=Component)
Tone = Literal["critical", "warning", "info", "good", "quiet"]
Content = Any
"""Whatever Dash takes as children: a part, words, a number, nothing, or a list of these."""


def marked(part: _Part, **attributes: str) -> _Part:
    """A part with `aria_…` and `data_…` attributes, which Dash's constructors do not name."""
    for name, value in attributes.items():
        setattr(part, name.replace("_", "-"), value)
    return part


def icon(name: str) -> Component:
    """A sign that repeats what the words beside it say, so screen readers skip it."""
    return marked(html.Span(className=f"icon icon-{name}"), aria_hidden="true")


def tag(text: str, tone: Tone = "quiet", sign: str | None = None, title: str | None = None) -> Component:
    """A small label with its sign."""
    return html.Span([icon(sign), text] if sign else text, className=f"tag tone-{tone}", title=title)


def card(
    title: str | None,
    *content: Content,
    note: Content = None,
    span: int | None = None,
    privacy: Component | None = None,
) -> Component:
    """A titled surface; `span` is its width in twelfths of the page, `privacy` the badge of the data it shows."""
    head = (
        [html.Header([html.H2(title), html.Div(note, className="card-note")], className="card-head")] if title else []
    )
    foot = [html.Footer(privacy, className="card-foot")] if privacy is not None else []
    body = [html.Div(one) if isinstance(one, list) else one for one in content]  # Dash draws no list within a list
    return html.Section([*head, *body, *foot], className="card" + (f" span-{span}" if span else ""))


def page_title(title: str, question: str, *aside: Content) -> Component:
    """The page's heading and the question it answers."""
    return html.Div(
        [html.Div([html.H1(title), html.P(question)]), html.Div(list(aside), className="controls")],
        className="page-title",
    )


def chart(
    figure: go.Figure,
    summary: str,
    *,
    table: Component | None = None,
    identity: str | None = None,
    height: int = 300,
) -> Component:
    """A chart that also says in words, and where given as a table, what it shows."""
    named: dict[str, Any] = {"id": identity} if identity else {}
    graph = dcc.Graph(figure=figure, config=theme.CONFIG, style={"height": f"{height}px"}, responsive=True, **named)
    described = marked(html.Div(graph, role="img", className="chart"), aria_label=summary)
    return html.Figure([described, *([table_view(table)] if table is not None else [])])


def map_part(graph: dcc.Graph, label: str, *, tall: bool = True, empty: Component | None = None) -> Component:
    """A map with its label, and over it why there is nothing on it. The graph is always there, so updates find it."""
    inside = [graph, *([empty] if empty is not None else [])]
    return marked(html.Div(inside, className=f"map map-{'tall' if tall else 'middle'}", role="img"), aria_label=label)


def table_view(table: Component) -> Component:
    """The same data as a table, folded away."""
    return html.Details(
        [html.Summary("View as table"), html.Div(table, className="scroll", tabIndex=0)], className="table-view"
    )


def table(headings: Sequence[str], rows: Sequence[Sequence[Content]], *, numeric: Sequence[int] = ()) -> Component:
    """A table; the columns in `numeric` are set flush right."""

    def style(column: int) -> str:
        return "num" if column in numeric else "name"

    head = html.Tr([html.Th(text, className=style(i), scope="col") for i, text in enumerate(headings)])
    body = [html.Tr([html.Td(cell, className=style(i)) for i, cell in enumerate(row)]) for row in rows]
    return html.Table([html.Thead(head), html.Tbody(body)], className="data")


def strip(facts: Sequence[tuple[str, Content]]) -> Component:
    """Names and values side by side."""
    return html.Dl([html.Div([html.Dt(name), html.Dd(value)]) for name, value in facts], className="strip")


def legend(entries: Sequence[tuple[str, str, str]]) -> Component:
    """What the lines and areas of a chart are: shape (`line`, `dots`, `area`), colour, name."""
    shown = [html.Span([html.I(className=shape, style={"--dot": colour}), name]) for shape, colour, name in entries]
    return html.Div(shown, className="legend")


def bars(rows: Sequence[tuple[str, str, float]]) -> Component:
    """Horizontal bars: name, value in words, share of the longest 0 to 1."""
    return html.Div(
        [
            html.Div(
                [
                    html.Span(name),
                    html.Span(value, className="nowrap"),
                    html.Div(
                        html.Div(className="bar-fill", style={"width": f"{100 * min(max(share, 0), 1):.1f}%"}),
                        className="bar-track",
                    ),
                ],
                className="bar",
            )
            for name, value, share in rows
        ],
        className="bars",
    )
