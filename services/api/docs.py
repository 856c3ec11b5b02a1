"""Code concerned with the API's documentation: one page made from its OpenAPI document, and a page for each problem.

The page needs no script and nothing from elsewhere: to try a resource is to send a form, whose empty fields mean nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape
from importlib.resources import files
from typing import Any, Final
from urllib.parse import quote, urlencode

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from services.api.formats import json_response
from services.api.pagination import base_url
from services.api.problems import PROBLEMS, Problem

_CODE: Final = re.compile(r"`([^`]+)`")
_POLICY: Final = (
    "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; img-src data:"
)


def add_docs(app: FastAPI) -> None:
    """Add `/docs`, its style sheet, and `/problems` with one address for each type of problem."""

    def read_docs(request: Request) -> Response:
        return HTMLResponse(_page(app.openapi(), base_url(request)), headers={"Content-Security-Policy": _POLICY})

    app.add_api_route("/docs", read_docs, include_in_schema=False)
    app.add_api_route("/docs/docs.css", _read_style, include_in_schema=False)
    app.add_api_route("/problems", _list_problems, include_in_schema=False)
    app.add_api_route("/problems/{slug}", _read_problem, include_in_schema=False)


def _read_style() -> Response:
    return Response((files("services.api") / "assets" / "docs.css").read_text(encoding="utf-8"), media_type="text/css")


def _list_problems() -> Response:
    return json_response([_meaning(slug) for slug in PROBLEMS])


def _read_problem(slug: str) -> Response:
    if slug not in PROBLEMS:
        raise Problem("not-found", f"there is no type of problem {slug[:60]!r}: /problems lists them")
    return json_response(_meaning(slug))


def _meaning(slug: str) -> dict[str, Any]:
    meaning = PROBLEMS[slug]
    return {"type": f"/problems/{slug}", "title": meaning.title, "status": meaning.status, "help": meaning.help}


def _page(document: dict[str, Any], base: str) -> str:
    groups: dict[str, list[str]] = {}
    schemas = document["components"]["schemas"]
    for path, methods in document["paths"].items():
        operation = methods["get"]
        groups.setdefault(operation["tags"][0], []).append("".join(_operation(base, path, operation, schemas)))
    sections = "".join(
        f'<h2 id="{quote(name)}">{escape(name)}</h2>{"".join(operations)}' for name, operations in groups.items()
    )
    links = "".join(f'<a href="#{quote(name)}">{escape(name)}</a>' for name in groups)
    paragraphs = "".join(f"<p>{_prose(text)}</p>" for text in document["info"]["description"].strip().split("\n\n"))
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Arterial API</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<link rel="icon" href="data:,"><link rel="stylesheet" href="/docs/docs.css"></head><body><main>'
        f"<h1>Arterial API</h1>{paragraphs}"
        '<p><a href="/dash/">Dashboard</a> · <a href="/api/v1/openapi.json">OpenAPI document</a></p>'
        f'<nav><a href="#start">Start here</a>{links}<a href="#problems">Problems</a></nav>'
        f"{_start(base)}{sections}{_problems()}</main></body></html>"
    )


def _start(base: str) -> str:
    """A first request in the tools planners have; with `format` and without `limit` a list comes whole."""
    places = f"{base}/api/v1/sensors?format=geojson"
    ahead = f"{base}/api/v1/forecasts?sensor=tr-001a&format=csv"
    week = f"{base}/api/v1/observations?sensor=tr-001a&from=now-7d&resolution=15min&format=csv"
    python = (
        f'import pandas as pd\npd.read_csv("{ahead}", parse_dates=["issued_at", "target_at"])\n'
        f'pd.read_csv("{week}", parse_dates=["observed_at"])'
    )
    excel = (
        "Excel: Data, From Web, this address. A double click on a saved file would read its decimal points and letters as "
        "your region writes them"
    )
    tools = (
        ("pandas: times are UTC, units stand in the names of columns and quantities", python),
        ("R", f'read.csv("{ahead}")'),
        (excel, week),
        ("QGIS: Layer, Add Layer, Add Vector Layer, Protocol, type GeoJSON", places),
    )
    shown = "".join(f"<p>{escape(name)}:</p><pre>{escape(text)}</pre>" for name, text in tools)
    return f'<h2 id="start">Start here</h2><div class="body">{shown}</div>'


def _operation(base: str, path: str, operation: dict[str, Any], schemas: dict[str, Any]) -> Iterator[str]:
    parameters = operation.get("parameters", [])
    in_path = {one["name"]: _example(one) for one in parameters if one["in"] == "path"}
    filled = path.format(**{name: quote(value) for name, value in in_path.items()})
    asked = [one for one in parameters if one["in"] == "query"]
    examples = {one["name"]: _example(one) for one in asked if _example(one)}
    yield f"<details><summary><code>{escape(path)}</code><span>{escape(operation['summary'])}</span></summary>"
    yield f'<div class="body"><p>{_prose(operation.get("description", ""))}</p>'
    url = f"{filled}?{urlencode(examples)}" if examples else filled
    yield f"<pre>curl '{escape(base + url)}'</pre></div>"
    yield f'<form method="get" action="{escape(filled)}">{"".join(_field(one, schemas) for one in asked)}'
    yield f"<button>Try</button></form>{_fields_of_answer(operation, schemas)}</details>"


def _field(parameter: dict[str, Any], schemas: dict[str, Any]) -> str:
    name, schema = escape(parameter["name"]), parameter["schema"]
    choices = _choices(schema, schemas)
    example = escape(_example(parameter))
    if choices is None:
        control = f'<input name="{name}" value="{example}">'
    else:
        chosen = str(schema.get("default", example))
        options = "".join(
            f"<option{' selected' if choice == chosen else ''}>{escape(choice)}</option>" for choice in ("", *choices)
        )
        control = f'<select name="{name}">{options}</select>'
    return f"<label><b>{name}</b>{control}<small>{_prose(parameter.get('description', ''))}</small></label>"


def _fields_of_answer(operation: dict[str, Any], schemas: dict[str, Any]) -> str:
    """What the rows of a list, or the one thing asked for, are made of."""
    fields = _named(operation["responses"]["200"]["content"]["application/json"]["schema"], schemas)["properties"]
    if "data" in fields:
        fields = _named(fields["data"]["items"], schemas)["properties"]
    described = {name: field["description"] for name, field in fields.items() if "description" in field}
    rows = "".join(f"<tr><td><code>{name}</code></td><td>{_prose(text)}</td></tr>" for name, text in described.items())
    return f'<div class="body"><table><tr><th>Field</th><th>Meaning</th></tr>{rows}</table></div>' if rows else ""


def _named(schema: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    """A schema, or the one it refers to."""
    found: dict[str, Any] = schemas[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
    return found


def _choices(schema: dict[str, Any], schemas: dict[str, Any]) -> list[str] | None:
    """The values a parameter can have when it has a few only."""
    for part in (schema, *schema.get("anyOf", ())):
        named = _named(part, schemas)
        if "enum" in named:
            return list(named["enum"])
    return ["true", "false"] if any(part.get("type") == "boolean" for part in schema.get("anyOf", ())) else None


def _example(parameter: dict[str, Any]) -> str:
    """The first example of a parameter as it is written in an address, or nothing."""
    examples = parameter["schema"].get("examples") or [None]
    first = examples[0][0] if isinstance(examples[0], list) else examples[0]
    return "" if first is None else str(first)


def _prose(text: str) -> str:
    """Text for a page, with what stands in backticks as code."""
    return _CODE.sub(r"<code>\1</code>", escape(text))


def _problems() -> str:
    rows = "".join(
        f'<tr><td>{meaning.status}</td><td><a href="/problems/{slug}">{slug}</a></td>'
        f"<td>{escape(meaning.title)}. {_prose(meaning.help)}</td></tr>"
        for slug, meaning in PROBLEMS.items()
    )
    return (
        '<h2 id="problems">Problems</h2><p>Every error is a problem document after RFC 9457.</p>'
        f"<table><tr><th>Status</th><th>Type</th><th>Meaning</th></tr>{rows}</table>"
    )
