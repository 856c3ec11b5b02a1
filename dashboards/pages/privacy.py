"""Code concerned with the page Privacy: what is collected about people, why, for how long, and what leaves. For everybody."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from dash import Dash, Input, Output, html
from dash.development.base_component import Component

from dashboards import emptiness, words
from dashboards.address import View
from dashboards.context import City, threaded
from dashboards.parts import Content, bars, card, marked, page_title, strip, table, table_view, tag
from dashboards.theme import Scheme
from services.errors import UnavailableError
from services.governance.documents.facts import gather
from services.governance.documents.opening import OPEN
from services.governance.transparency import transparency

_QUESTION: Final = "What is collected about people, why, for how long, and what leaves?"
_DOCUMENTS: Final = {
    "record": "Record of processing (GDPR Art. 30)",
    "register-nl": "Algorithm records, Algoritmeregister 0.3.1",
    "register-uk": "Algorithm records, ATRS 3.0",
    "cards": "Model cards",
    "ai-act": "AI Act classification",
}
_DAYS_SHOWN: Final = 7

Facts = Mapping[str, Any]


def layout(city: City, view: View, scheme: Scheme) -> Component:
    """The page as first shown."""
    del city, view, scheme
    return html.Div(
        [page_title("Privacy", _QUESTION), html.Div(id="privacy-body", style={"display": "contents"})],
        style={"display": "contents"},
    )


def register(app: Dash, city: City) -> None:
    """Add the callbacks that keep it current."""

    @app.callback(Output("privacy-body", "children"), Input("version", "data"))
    @threaded
    def redraw(_version: Any) -> Any:
        try:
            with city.reading() as connection:
                facts = transparency(gather(connection, city.settings, city.now(), scores=False))
        except UnavailableError as error:
            return card("Privacy", emptiness.failed(str(error)))
        return body(facts, city)


def body(facts: Facts, city: City) -> list[Component]:
    """Everything, from what comes in to what proves it."""
    return [
        _summary(facts, city),
        card("What is collected", _collected(facts["collected"]), _kept(facts["kept"]), _dialects(facts["dialects"])),
        card("What is published", _published(facts["published"]), note="Release plans that are on"),
        _grid(
            card(
                "Privacy budget", _budgets(facts["budgets"]), note="Spent per subject and day; never refunded", span=6
            ),
            card(
                "Several days together",
                _composition(facts["composition"], facts["composition_checked"], city),
                note="Sum of what was spent, and a tighter bound",
                span=6,
            ),
        ),
        card("What was withheld, and why", _withheld(facts["withheld"])),
        _grid(
            card("Attacks on our own releases", _red_team(facts["red_team"], facts["red_team_weekly"], city), span=6),
            card("Fairness audit", _fairness(facts["fairness"], city), span=6),
        ),
        _grid(
            card("Keys and rows destroyed", _destructions(facts["destructions"], city), span=6),
            card("Audit log", _audit(facts["audit"], city), span=6),
        ),
        card("Algorithms and documents", _algorithms(facts["algorithms"]), _documents(facts["documents"])),
    ]


def _grid(*cards: Component) -> Component:
    return html.Div(list(cards), className="grid stretch")


def _summary(facts: Facts, city: City) -> Component:
    budgets = facts["budgets"]
    newest = max((budget["day"] for budget in budgets), default=None)
    spent = [b for b in budgets if b["day"] == newest]
    gone = facts["destructions"]
    controller = facts["controller"]["name"]
    rows: list[tuple[str, Content]] = [
        ("Controller", "Not named yet" if controller.startswith(OPEN) else controller),
        ("Personal rows live at most", f"{facts['personal_hours']} h"),
        ("Budget per day and domain", f"ε {facts['epsilon_day']:g}"),
        *((f"Spent, {b['domain']}, {newest:%-d %b}", f"{b['spent']:g} of {b['cap']:g}") for b in spent),
        ("Last key destroyed", words.clock(gone[0]["destroyed_at"], city.zone) if gone else "None yet"),
        ("Attacks", _verdict(_newest(facts["red_team"], facts["red_team_weekly"]), "Not run yet")),
        ("Fairness", _verdict(facts["fairness"], "Not audited yet")),
    ]
    return html.Div(card(None, strip(rows)), className="even")


def _newest(*found: Facts | None) -> Facts | None:
    """The run that ended last."""
    return max((one for one in found if one is not None), key=lambda one: one["finished_at"], default=None)


def _verdict(found: Facts | None, none: str) -> Component:
    if found is None:
        return tag(none, "quiet", "waiting")
    return tag("Passed", "good", "good") if found["passed"] else tag("Not passed", "warning", "warning")


def _collected(rows: Sequence[Facts]) -> Component:
    return _table(
        ["Kind", "Personal", "What is kept", "What is dropped", "Why", "For how long"],
        [
            [
                row["kind"],
                tag("Personal", "info", "private") if row["personal"] else tag("Not personal", "good", "good"),
                row["what"],
                row["dropped"],
                row["purpose"],
                row["kept"],
            ]
            for row in rows
        ],
    )


def _kept(rows: Sequence[Facts]) -> Component:
    listing = table(["Class of data", "How long"], [[row["class"], row["rule"]] for row in rows])
    return html.Details([html.Summary("How long each class of data is kept"), listing], className="table-view")


def _dialects(rows: Sequence[Facts]) -> Component:
    listing = table(
        ["Payload format", "What it is"],
        [[row["name"], row["description"] + (" (always personal)" if row["always_personal"] else "")] for row in rows],
    )
    return html.Details(
        [
            html.Summary(f"The {len(rows)} payload formats that are read"),
            html.Div(listing, className="scroll", tabIndex=0),
        ],
        className="table-view",
    )


def _published(rows: Sequence[Facts]) -> Content:
    if not rows:
        return emptiness.not_yet("No release plan is on", "Nothing about people is published.")
    return _table(
        ["Plan", "Why", "Whom it protects", "Zones and time", "ε per day", "δ", "Mechanism", "Hash"],
        [
            [
                f"{row['plan']} v{row['version']}",
                row["purpose"],
                row["subject"],
                f"{row['zones']}, {words.span(row['slot_minutes'])}",
                f"{row['epsilon']:g}",
                words.tiny(row["delta"]),
                row["mechanism"].replace("_", " "),
                html.Code(row["plan_hash"][:12], title=row["plan_hash"]),
            ]
            for row in rows
        ],
        numeric=[4, 5],
    )


def _budgets(rows: Sequence[Facts]) -> Content:
    if not rows:
        return emptiness.not_yet("Nothing spent yet", "Each release is charged before it is made.")
    shown = [
        (
            f"{row['day']:%a %-d %b} · {row['domain']}",
            f"ε {row['spent']:.2f} of {row['cap']:.2f}",
            row["spent"] / row["cap"],
        )
        for row in rows
        if (rows[0]["day"] - row["day"]).days < _DAYS_SHOWN
    ]
    listing = table(
        ["Day", "Domain", "Spent [ε]", "Cap [ε]"],
        [[row["day"].isoformat(), row["domain"], f"{row['spent']:g}", f"{row['cap']:g}"] for row in rows],
        numeric=[2, 3],
    )
    return html.Div([bars(shown), table_view(listing)])


def _composition(rows: Sequence[Facts], checked: Facts | None, city: City) -> Component:
    windows = sorted({row["days"] for row in rows})
    spent = {(row["domain"], row["days"]): f"{row['epsilon']:g} of {row['at_most']:g}" for row in rows}
    tighter = {
        (row["domain"], row["days"]): f"{row['epsilon_distribution']:.3g}"
        for row in rows
        if row["epsilon_distribution"] is not None
    }
    lines = []
    for domain in sorted({row["domain"] for row in rows}):
        lines.append([domain, *(spent[domain, days] for days in windows)])
        if any((domain, days) in tighter for days in windows):
            lines.append([f"{domain}, tighter", *(tighter.get((domain, days), "–") for days in windows)])
    listing = _table(
        ["Domain", *(f"{days} {'day' if days == 1 else 'days'} [ε]" for days in windows)],
        lines,
        numeric=range(1, len(windows) + 1),
    )
    text = "Spent, and at most with today's cap, for somebody who was there on every one of these days: the sum."
    if checked is None:
        how = "A second accountant works out a tighter bound from the noise itself each night."
    else:
        how = (
            "Tighter: the second accountant's bound at δ = 10⁻⁶, which composes the noise's distributions of privacy loss, for "
            f"the days up to {checked['last_day']}, worked out {words.clock(checked['at'], city.zone)}."
        )
    return html.Div([listing, html.P(f"{text} {how}", className="card-note spaced")])


def _withheld(rows: Sequence[Facts]) -> Content:
    if not rows:
        return emptiness.not_yet("Nothing released yet", "A day is released an hour after it is over.")
    return _table(
        ["Newest release", "Local day", "Values", "Withheld", "Threshold", "Within (95 %)", "Why"],
        [
            [
                f"{row['plan']} v{row['version']}",
                html.Span(row["day"].isoformat(), className="nowrap"),
                words.number(row["values"]),
                words.percent(row["withheld"] / row["values"] if row["values"] else None),
                words.number(row["threshold"]),
                f"± {row['ci95']:g}",
                row["reason"],
            ]
            for row in rows
        ],
        numeric=[2, 3, 4, 5],
    )


def _red_team(found: Facts | None, weekly: Facts | None, city: City) -> Content:
    if found is None:
        return emptiness.not_yet(
            "Not run on this database", "The worker runs a short version each week, arterial privacy attack all of it."
        )
    runs = [("Shown: a short version of" if found["short"] else "Shown: a whole run of", found)]
    if weekly is not None and weekly["finished_at"] != found["finished_at"]:
        runs.append(("A short version each week, last", weekly))
    when = [
        html.P([text, " ", words.clock(one["finished_at"], city.zone), " ", _verdict(one, "")], className="below")
        for text, one in runs
    ]
    note = html.P(
        "On generated people. A control is the same attack on unprotected data, where it must work.",
        className="card-note spaced",
    )
    listing = _table(
        ["Attack", "Control", "Advantage", "Limit", "Result"],
        [
            [
                one["name"].replace("_", " "),
                "works" if one["control_passed"] else "fails: void",
                _figure(one["advantage"]),
                _figure(one["limit"]),
                tag("Under", "good", "good") if one["passed"] else tag("Over", "critical", "critical"),
            ]
            for one in found["attacks"]
        ],
        numeric=[2, 3],
    )
    return html.Div([*when, listing, note])


def _fairness(found: Facts | None, city: City) -> Content:
    if found is None:
        text = "The worker compares districts each week, and arterial governance fairness at once."
        return emptiness.not_yet("Not audited yet", text)
    when = f"{found['since']} to {found['until']}, audited {words.clock(found['audited_at'], city.zone)} "
    held = [gate for gate in found["gates"] if gate["held"]]
    parts: list[Component] = [html.P([when, _verdict(found, "")], className="below")]
    if len(held) < len(found["gates"]):
        parts.append(_gates([gate for gate in found["gates"] if not gate["held"]]))
    if held:
        folded = [html.Summary(f"{len(held)} of {len(found['gates'])} gates held"), _gates(held)]
        parts.append(html.Details(folded, className="table-view"))
    if found["not_judged"]:
        text = f"{len(found['not_judged'])} comparisons had too few sensors or cells to be judged."
        parts.append(html.P(text, className="card-note spaced"))
    return html.Div(parts)


def _gates(gates: Sequence[Facts]) -> Component:
    return _table(
        ["Compared", "By", "Figure", "95 % interval", "Limit", "Result"],
        [
            [
                f"{gate['subject'].replace('_', ' ')}: {gate['gate'].replace('_', ' ')}",
                gate["by"].replace("_", " "),
                _figure(gate["value"]),
                f"{_figure(gate['low'])}–{_figure(gate['high'])}",
                _figure(gate["limit"]),
                tag("Held", "good", "good") if gate["held"] else tag("Not held", "warning", "warning"),
            ]
            for gate in gates
        ],
        numeric=[2, 4],
    )


def _destructions(rows: Sequence[Facts], city: City) -> Content:
    if not rows:
        return emptiness.not_yet(
            "Nothing destroyed yet", "The first day's key and rows go within two days of its beginning."
        )
    return _table(
        ["Domain", "Local day and all before", "Destroyed"],
        [[row["purpose"], row["day"].isoformat(), words.clock(row["destroyed_at"], city.zone)] for row in rows],
    )


def _audit(found: Facts, city: City) -> Content:
    signed, checked = found["checkpoint"], found["ledger_checked"]
    facts: list[tuple[str, Content]] = [
        ("Rows in the chain", words.number(found["rows"])),
        ("Last signed checkpoint", words.clock(signed["at"], city.zone) if signed else "None yet"),
        ("Rows it covers", words.number(signed.get("rows")) if signed else "–"),
        (
            "Two accountants of the ledger",
            "Not checked yet"
            if checked is None
            else f"{'Agree' if checked.get('agree') else 'DISAGREE'}, {words.clock(checked['at'], city.zone)}",
        ),
    ]
    head = html.P(["Head ", html.Code(found["head"] or "–", className="hash")], className="card-note spaced")
    how = html.P(
        ["Anybody who kept a checkpoint can check the log: ", html.Code("arterial audit verify")], className="card-note"
    )
    return html.Div([strip(facts), head, how])


def _algorithms(rows: Sequence[Facts]) -> Component:
    return _table(
        ["Algorithm", "What it does", "How", "AI Act"],
        [[row["title"], row["summary"], row["learning"], row["ai_act"]] for row in rows],
    )


def _documents(rows: Sequence[Facts]) -> Component:
    items = [
        html.Li(
            [
                html.Strong(_DOCUMENTS[row["name"]]),
                " ",
                *[
                    part
                    for form, text in (("html", "to print"), ("markdown", "Markdown"), ("json", "JSON"))
                    for part in (
                        html.A(text, href=f"{row['url']}?format={form}", title=f"{_DOCUMENTS[row['name']]}, {text}"),
                        " ",
                    )
                ],
            ]
        )
        for row in rows
    ]
    more = html.Li([html.Strong("This page as data"), " ", html.A("JSON", href="/api/v1/privacy/transparency")])
    return html.Ul([*items, more], className="documents spaced")


def _table(headings: Sequence[str], rows: Sequence[Sequence[Content]], *, numeric: Sequence[int] = ()) -> Component:
    """A table whose rows become blocks with names and values where the page is narrow; its roles say that it stays one."""
    styles = ["num" if column in numeric else "name" for column in range(len(headings))]
    named = list(zip(headings, styles, strict=True))
    head = html.Tr(
        [html.Th(text, className=style, scope="col", role="columnheader") for text, style in named], role="row"
    )
    body = [
        html.Tr(
            [
                marked(html.Td(html.Div(cell), className=style, role="cell"), data_label=heading)
                for (heading, style), cell in zip(named, row, strict=True)
            ],
            role="row",
        )
        for row in rows
    ]
    parts = [html.Thead(head, role="rowgroup"), html.Tbody(body, role="rowgroup")]
    return html.Div(html.Table(parts, className="data", role="table"), className="words")


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g}"
