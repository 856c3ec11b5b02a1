"""`arterial privacy retention|access|erase|object`: how long personal data lives, and what a person may ask for."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from services.commands.output import AsJson, report
from services.commands.times import moment

if TYPE_CHECKING:
    from services.storage.personal_rights import Purpose

Device = Annotated[str, typer.Option(help="The identifier the device sends under.")]
PurposeName = Annotated[str, typer.Option("--purpose", help="mobility (vehicles) or household.")]
TokenFile = Annotated[
    Path,
    typer.Option(help="A file with the secret whose SHA-256 the device has sent as its claim; - reads standard input."),
]


def retention(
    *,
    proof: Annotated[
        bool,
        typer.Option("--proof", help="Only look whether anything is left that should be gone. Exit code 1 when so."),
    ] = False,
    at: Annotated[
        str | None, typer.Option(help="Preview a run at this moment, such as 2026-11-22T08:00:00Z; by default now.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show what is kept for how long, what is there, and what the next run destroys. Nothing is destroyed."""
    from dataclasses import asdict
    from datetime import UTC

    from services.privacy.retention import preview
    from services.settings import load_settings
    from services.storage import audit
    from services.storage.database import connect

    settings = load_settings()
    now = datetime.now(UTC) if at is None else moment(at, "--at")
    classes = preview(settings, now)
    with connect(settings.role_dsn("api"), application="retention") as connection:
        proofs = audit.newest(connection, most=100, action=audit.Action.KEY_DESTROYED)
    overdue = [kept for kept in classes if kept.overdue]
    lines = []
    for kept in [] if proof else classes:
        days = f"; there: {', '.join(map(str, kept.held))}" if kept.held else ""
        due = f"; goes with the next run: {', '.join(map(str, kept.due))}" if kept.due else ""
        lines.append(f"{kept.name:<22} {kept.rule}{days}{due}")
    lines += [f"OVERDUE: {kept.name} of {', '.join(map(str, kept.overdue))}" for kept in overdue]
    lines += [f"{entry.at:%Y-%m-%d %H:%M} UTC destroyed {entry.body} (audit row {entry.seq})" for entry in proofs[:8]]
    lines.append("Nothing is left that should be gone." if not overdue else "Something is left that should be gone.")
    report(
        {
            "passed": not overdue,
            "at": now,
            "classes": [asdict(kept) for kept in classes],
            "destroyed": [{"row": entry.seq, "at": entry.at, "facts": entry.body} for entry in proofs],
        },
        lines,
        as_json=as_json,
    )
    if overdue and proof:
        raise typer.Exit(1)


def access(*, purpose: PurposeName, device: Device, token_file: TokenFile, as_json: AsJson = False) -> None:
    """Show a person the rows that are stored of their device."""
    from dataclasses import asdict

    from services.privacy import rights
    from services.settings import load_settings

    days = rights.access(load_settings(), _purpose(purpose), device, _token(token_file))
    lines = [f"{answer.day}: {len(answer.rows)} rows" for answer in days]
    lines += [", ".join(f"{name} {value}" for name, value in row.items()) for answer in days for row in answer.rows]
    report({"purpose": purpose, "days": [asdict(answer) for answer in days]}, lines, as_json=as_json)


def erase(*, purpose: PurposeName, device: Device, token_file: TokenFile, as_json: AsJson = False) -> None:
    """Erase the rows of a person's device, of all days that can still be told apart."""
    from services.privacy import rights
    from services.settings import load_settings

    days = rights.erase(load_settings(), _purpose(purpose), device, _token(token_file))
    report(
        {"purpose": purpose, "erased": days},
        [
            *(f"{day}: erased" for day in days),
            "What had been published stays: it is noisy, and names nobody. Messages that wait in a spool still come.",
        ],
        as_json=as_json,
    )


def object_(
    *,
    purpose: PurposeName,
    device: Device,
    token_file: Annotated[Path | None, typer.Option(help="A file with the secret; - reads standard input.")] = None,
    identity_checked: Annotated[
        bool, typer.Option("--identity-checked", help="Instead of the secret: you have made sure who asks.")
    ] = False,
    withdraw: Annotated[bool, typer.Option("--withdraw", help="Take the objection back.")] = False,
    as_json: AsJson = False,
) -> None:
    """Leave a device out from now on: ingest drops its readings at the door, within half a minute."""
    from services.errors import InputError
    from services.privacy import rights
    from services.settings import load_settings

    if (token_file is None) is not identity_checked:
        message = "give the secret with --token-file, or say with --identity-checked that you have made sure who asks"
        raise InputError(message)
    token = None if token_file is None else _token(token_file)
    change = rights.withdraw_objection if withdraw else rights.object_to
    changed = change(load_settings(), _purpose(purpose), device, token)
    now = "taken again" if withdraw else "dropped at the door"
    report(
        {"purpose": purpose, "withdrawn": withdraw, "changed": changed},
        [f"Its readings are {now}{'' if changed else ', as before'}."],
        as_json=as_json,
    )


def _purpose(name: str) -> Purpose:
    from services.errors import InputError
    from services.storage.personal_rights import PURPOSES

    for purpose in PURPOSES:
        if purpose == name:
            return purpose
    message = (
        f"--purpose {name!r} is none of {', '.join(PURPOSES)}; bicycle trips and charging sessions are stored without rider or "
        "owner, so nobody can be found in them"
    )
    raise InputError(message)


def _token(file: Path) -> str:
    import sys

    from services.errors import InputError, reason

    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        message = f"the secret cannot be read from {file}: {reason(error)}"
        raise InputError(message) from error
    if not text.strip():
        message = f"{file} holds no secret"
        raise InputError(message)
    return text.strip()
