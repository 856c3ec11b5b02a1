"""The parts of pages are trees that Dash can draw."""

from __future__ import annotations

from typing import Any

from dash import html

from dashboards.parts import card


def test_a_card_takes_a_list_among_its_content() -> None:
    section: Any = card("Load", "first", [html.P("second"), "third"], privacy=html.Span("badge"))
    _, first, rest, foot = section.children
    assert (first, rest.children[1]) == ("first", "third")
    assert not any(isinstance(child, list) for child in section.children)
    assert foot.children.children == "badge"
