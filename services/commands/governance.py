"""`arterial governance`: the documents that officers sign, made from the running configuration and the database."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from services.commands.output import AsJson, report

if TYPE_CHECKING:
    from services.governance.documents.document import Document
    from services.governance.documents.schema_file import Verdict

app = typer.Typer(
    help="The documents that officers sign, from what is really configured and stored.", no_args_is_help=True
)

Out = Annotated[
    Path | None,
    typer.Option("--out", metavar="FILE", help="Write the document there: .md Markdown, .html a page to print, .json."),
]
Schema = Annotated[Literal["nl", "uk"], typer.Option("--schema", help="Whose register: nl or uk.")]
Check = Annotated[
    bool, typer.Option("--check", help="Exit with 1 while anything is missing or not as the standard has it.")
]
Against = Annotated[
    str | None,
    typer.Option(
        "--against",
        metavar="FILE",
        help="Hold it against a JSON Schema that you downloaded, FILE or FILE#/part/of/it; exit with 1 where it does not fit.",
    ),
]


@app.command()
def record(*, out: Out = None, check: Check = False, against: Against = None, as_json: AsJson = False) -> None:
    """The record of processing activities (GDPR Art. 30)."""
    _make("record", out=out, check=check, against=against, as_json=as_json)


@app.command()
def dpia(*, out: Out = None, check: Check = False, against: Against = None, as_json: AsJson = False) -> None:
    """The data protection impact assessment, filled as far as the platform can know (GDPR Art. 35)."""
    _make("dpia", out=out, check=check, against=against, as_json=as_json)


@app.command()
def register(
    *, schema: Schema = "nl", out: Out = None, check: Check = False, against: Against = None, as_json: AsJson = False
) -> None:
    """The algorithm records: nl for the Algoritmeregister 0.3.1, uk for the ATRS 3.0."""
    _make(f"register-{schema}", out=out, check=check, against=against, as_json=as_json)


@app.command()
def cards(*, out: Out = None, check: Check = False, against: Against = None, as_json: AsJson = False) -> None:
    """A card for each forecasting model: what it learnt from, how it did, where it fails."""
    _make("cards", out=out, check=check, against=against, as_json=as_json)


@app.command(name="ai-act")
def ai_act(*, out: Out = None, check: Check = False, against: Against = None, as_json: AsJson = False) -> None:
    """The classification under the AI Act, and what it then asks for."""
    _make("ai-act", out=out, check=check, against=against, as_json=as_json)


@app.command()
def fairness(
    *,
    days: Annotated[int, typer.Option("--days", min=1, max=365, help="How many days before today are looked at.")] = 28,
    samples: Annotated[int, typer.Option("--samples", min=10, max=5_000, help="Samples of the bootstrap.")] = 200,
    check: Annotated[bool, typer.Option("--check", help="Exit with 1 when a gate did not hold.")] = False,
    against: Against = None,
    as_json: AsJson = False,
) -> None:
    """Compare errors, intervals and withheld values by district and income group, and keep the result.

    Nobody publishes a schema of such an audit; it is judged by its own gates. `--against` is for a schema of your own.
    """
    from datetime import UTC, datetime

    from services.commands.progress import progress_bar
    from services.governance.fairness.keeping import audit_and_keep
    from services.settings import load_settings

    with progress_bar("Comparing groups") as told:
        result = audit_and_keep(
            load_settings(),
            datetime.now(UTC),
            actor="arterial governance fairness",
            days=days,
            samples=samples,
            told=told,
        )
    verdict = None if against is None else _verdict(result, "", against)
    report(_with(result, verdict), [*_sentences(result), *_judged(verdict)], as_json=as_json)
    if (check and not result["passed"]) or (verdict is not None and verdict.problems):
        raise typer.Exit(1)


def _sentences(result: dict[str, Any]) -> Iterator[str]:
    for gate in result["gates"]:
        verdict = "held" if gate["held"] else "NOT held"
        yield (
            f"{gate['gate']:<16} {gate['subject']:<22} by {gate['by']:<13} {_shown(gate['value'])} "
            f"({_shown(gate['low'])} to {_shown(gate['high'])}), limit {gate['limit']:g}: {verdict}"
        )
    for left in result["not_judged"]:
        yield f"not judged: {left['subject']} by {left['by']}, {left['group'] or 'all groups'}: {left['reason']}"
    yield f"{result['since']} to {result['until']}: " + (
        "every gate held" if result["passed"] else "not every gate held"
    )


def _shown(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.3g}"


def _verdict(content: Mapping[str, Any], part: str, against: str) -> Verdict:
    from services.governance.documents.schema_file import hold_against

    return hold_against(content, part, against)


def _with(document: dict[str, Any], verdict: Verdict | None) -> dict[str, Any]:
    return document if verdict is None else document | {"against": verdict.as_json()}


def _judged(verdict: Verdict | None) -> Iterator[str]:
    """What a schema file says, in sentences."""
    if verdict is None:
        return
    if verdict.marked_fields:
        yield (
            f"{verdict.schema} marks {verdict.marked_fields} fields as required or not in a way its own draft does not know; "
            "read as meant."
        )
    parts = ", ".join(verdict.parts) if any(verdict.parts) else "the document"
    if not verdict.problems:
        yield f"Fits {verdict.schema} ({verdict.dialect}): {parts}."
        return
    yield f"Does not fit {verdict.schema} ({verdict.dialect}) in {len(verdict.problems)} places:"
    for problem in verdict.problems:
        yield f"  {problem.field or 'the document'}: {problem.sentence}"


def _make(kind: str, *, out: Path | None, check: bool, against: str | None, as_json: bool) -> None:
    from collections import Counter
    from datetime import UTC, datetime

    from services.governance.documents.catalogue import DOCUMENTS
    from services.governance.documents.facts import gather
    from services.governance.documents.render import markdown
    from services.settings import load_settings
    from services.storage.database import connect

    settings = load_settings()
    with connect(settings.role_dsn("api"), application="governance", autocommit=True) as connection:
        document = DOCUMENTS[kind](gather(connection, settings, datetime.now(UTC)))
    if out is not None:
        _write(document, out)
    problems = document.problems
    lines = [f"{out} written."] if out is not None else [markdown(document)]
    if problems:
        lines.append(f"{len(problems)} fields are not complete:")
        lines += [
            f"  {sentence} ({count} field{'s' if count > 1 else ''})"
            for sentence, count in Counter(one.sentence for one in problems).items()
        ]
    verdict = None if against is None else _verdict(document.content, document.part, against)
    report(_with(document.as_json(), verdict), [*lines, *_judged(verdict)], as_json=as_json)
    if (check and problems) or (verdict is not None and verdict.problems):
        raise typer.Exit(1)


def _write(document: Document, out: Path) -> None:
    import orjson

    from services.errors import InputError
    from services.governance.documents.render import markdown, page

    if out.suffix == ".md":
        text = markdown(document)
    elif out.suffix == ".html":
        text = page(document)
    elif out.suffix == ".json":
        text = orjson.dumps(document.as_json(), option=orjson.OPT_INDENT_2).decode()
    else:
        message = f"--out {out} must end in .md, .html or .json"
        raise InputError(message)
    out.write_text(text, encoding="utf-8")
