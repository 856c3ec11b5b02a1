"""`arterial privacy rules`: what a regulator's rules leave of a register table."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from services.commands.output import AsJson, report

if TYPE_CHECKING:
    from services.privacy.rules.audit import Interval


def rules(
    table: Annotated[
        Path, typer.Argument(metavar="FILE", help="CSV with row, count, and column, value, top1, top2 … if known.")
    ],
    rule: Annotated[
        list[str],
        typer.Option(
            "--rule",
            metavar="RULE",
            help="15/15, 15/20, cpuc-100, nl-10, uk-5, k=10, dominance=2,85 or p=10; may be repeated.",
        ),
    ],
    *,
    merge: Annotated[
        int | None,
        typer.Option("--merge", metavar="COUNT", min=2, help="First join rows in order until each has so many."),
    ] = None,
    like: Annotated[
        Path | None,
        typer.Option(
            "--like", metavar="FILE", help="What an earlier period published: what it withheld is withheld again."
        ),
    ] = None,
    reasons_secret: Annotated[
        bool,
        typer.Option(
            "--reasons-secret",
            help="Withhold less: rely on nobody knowing which cells are small and which are withheld for others' sake.",
        ),
    ] = False,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write what may be published as CSV.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Withhold what the rules forbid and as much more as sums would give away; counts are a register's, never of readings.

    The reasons and intervals shown here are for the officer. Only what `--out` writes, or `published` holds, is for others.
    """
    from services.commands.progress import progress_bar
    from services.errors import InputError
    from services.privacy.rules import files
    from services.privacy.rules.criteria import rule_of
    from services.privacy.rules.merging import merged
    from services.privacy.rules.suppression import COMPLEMENTARY, protect
    from services.privacy.rules.table import Table

    chosen = [rule_of(text) for text in rule]
    cells = files.read_register(table)
    if merge is not None:
        cells = merged(cells, merge)
    earlier = set() if like is None else files.read_withheld(like)
    try:
        with progress_bar("cells") as tell:
            found = protect(Table.of(cells), chosen, earlier=earlier, reasons_secret=reasons_secret, tell=tell)
    except ValueError as error:
        message = f"{table}: {error}"
        raise InputError(message) from error
    if out is not None:
        files.write_published(found, out)
    margins, total = found.table.is_margin, len(found.table.cells)
    shown = sum(cell.count for n, cell in enumerate(found.table.cells) if not margins[n] and n not in found.reasons)
    whole = sum(cell.count for n, cell in enumerate(found.table.cells) if not margins[n])
    others = sum(reason == COMPLEMENTARY for reason in found.reasons.values())
    widths = [one.width for one in found.audit]
    document = {
        "rules": rule,
        "published": files.published(found),
        "share_of_contributors_shown": shown / whole if whole else None,
        "officer": {
            "reasons": [
                {"row": found.table.cells[n].row, "column": found.table.cells[n].column, "reason": reason}
                for n, reason in sorted(found.reasons.items())
            ],
            "audit": [_interval(one) for one in found.audit],
            "informed_audit": [_interval(one) for one in found.informed],
        },
    }
    told = sum(not one.holds for one in found.informed)
    lines = [
        *(
            f"{found.table.cells[n].row} {found.table.cells[n].column}".rstrip() + f": {reason}"
            for n, reason in sorted(found.reasons.items())
        ),
        f"{total - len(found.reasons)} of {total} cells and margins may be shown, {others} more than the rules name are withheld",
        f"audit passed: {len(widths)} intervals, the narrowest {min(widths):g} wide"
        if widths
        else "nothing is withheld",
        *_informed(len(found.informed), told),
    ]
    report(document, lines, as_json=as_json)


def _interval(one: Interval) -> dict[str, Any]:
    return {
        "row": one.row,
        "column": one.column,
        "amount": one.amount,
        "knows": one.knows,
        "low": one.low,
        "high": one.high if one.high < float("inf") else None,
        "needed_width": one.needed,
        "holds": one.holds,
    }


def _informed(whole: int, told: int) -> Iterator[str]:
    if told:
        yield (
            f"{told} of {whole} intervals are narrower for somebody who knows why cells are withheld than that alone leaves them: "
            "keep this report secret, or leave out --reasons-secret"
        )
    elif whole:
        yield f"who knows why cells are withheld learns nothing more of them from what is shown ({whole} intervals)"
