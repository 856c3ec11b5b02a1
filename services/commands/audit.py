"""`arterial audit`: what was done with data and rules, and whether the record of it is whole."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from services.commands.output import AsJson, report

if TYPE_CHECKING:
    from services.storage.audit import Entry

app = typer.Typer(
    help="What was done with data and rules, and whether the record of it is whole.", no_args_is_help=True
)


@app.command()
def verify(
    *,
    checkpoint: Annotated[
        list[Path] | None, typer.Option(help="A checkpoint that was kept elsewhere; repeat for several.")
    ] = None,
    public_key: Annotated[
        list[Path] | None,
        typer.Option(help="Whose signatures count; by default this installation's key, where there is one."),
    ] = None,
    log: Annotated[Path | None, typer.Option(help="A file of `arterial audit export` instead of the database.")] = None,
    as_json: AsJson = False,
) -> None:
    """Find rows that were edited, dropped, inserted, reordered or cut off. Exit code 1 when there are any."""
    from dataclasses import asdict

    from services.governance import checkpoint as checkpoints
    from services.governance import signing, transcript
    from services.governance.verify import verify as judge
    from services.settings import load_settings
    from services.storage import audit
    from services.storage.database import connect

    settings = load_settings()
    signed = [checkpoints.read(file) for file in checkpoint or ()]
    keys = [signing.load_public(file) for file in public_key or ()] or signing.known(settings)
    if log is not None:
        verdict = judge(transcript.read(log), signed, keys)
    else:
        with connect(settings.role_dsn("api"), application="audit") as connection:
            verdict = judge(audit.entries(connection), signed, keys)
    lines = [
        *(finding.sentence for finding in verdict.findings),
        *(
            f"The key {name} was not compared with a known one: give it with --public-key."
            for name in verdict.unknown_keys
        ),
        f"{verdict.rows:,} rows, root {verdict.root}, {verdict.checkpoints} checkpoints: "
        + ("nothing was changed." if verdict.passed else f"{len(verdict.findings)} things are wrong."),
    ]
    if verdict.passed and not signed:
        lines.append("Without a checkpoint from elsewhere, a cut end or a log written anew cannot be seen.")
    report({"passed": verdict.passed, **asdict(verdict)}, lines, as_json=as_json)
    if not verdict.passed:
        raise typer.Exit(1)


@app.command(name="list")
def list_(
    *,
    most: Annotated[int, typer.Option("--last", min=1, max=100_000, help="How many of the newest rows.")] = 20,
    action: Annotated[str | None, typer.Option(help="Only these: release, key.destroyed, ...")] = None,
    as_json: AsJson = False,
) -> None:
    """Show the newest rows, the newest last."""
    from services.errors import InputError
    from services.governance import transcript
    from services.settings import load_settings
    from services.storage import audit
    from services.storage.database import connect

    if action is not None and action not in set(audit.Action):
        message = f"--action {action!r}: there are {', '.join(audit.Action)}"
        raise InputError(message)
    with connect(load_settings().role_dsn("api"), application="audit") as connection:
        rows = audit.newest(connection, most=most, action=action)[::-1]
    report({"entries": [transcript.document(row) for row in rows]}, map(_line, rows), as_json=as_json)


@app.command()
def checkpoint(
    *,
    out: Annotated[
        Path | None, typer.Option(help="The file; by default a new one in ARTERIAL_AUDIT_CHECKPOINT_DIR.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Sign the log as it is now. Keep the file and the public key on another machine."""
    import msgspec

    from services.governance import checkpoint as checkpoints
    from services.governance.signing import load_or_make
    from services.settings import load_settings
    from services.storage.database import connect

    settings = load_settings()
    with connect(settings.role_dsn("jobs"), application="audit", autocommit=True) as connection:
        signed = checkpoints.sign(settings, connection, "arterial audit checkpoint")
    file = out or settings.checkpoint_dir() / checkpoints.file_name(signed)
    checkpoints.write(signed, file)
    public_file = load_or_make(settings).public_file
    report(
        {"file": str(file), "public_key_file": str(public_file), "checkpoint": msgspec.to_builtins(signed)},
        [
            f"Signed rows 1 to {signed.rows:,} with key {signed.key.name}: {file}",
            f"Check with: arterial audit verify --checkpoint {file} --public-key {public_file}",
        ],
        as_json=as_json,
    )


@app.command()
def export(
    *, out: Annotated[Path, typer.Option(help="The file, one JSON document a line.")], as_json: AsJson = False
) -> None:
    """Write the whole log to a file, which `arterial audit verify --log` checks anywhere."""
    from services.governance import transcript
    from services.settings import load_settings
    from services.storage import audit
    from services.storage.database import connect

    with connect(load_settings().role_dsn("api"), application="audit") as connection:
        rows = transcript.write(audit.entries(connection), out)
    report({"file": str(out), "rows": rows}, [f"Wrote {rows:,} rows to {out}."], as_json=as_json)


@app.command()
def prove(
    *,
    row: Annotated[int, typer.Argument(min=1, help="The number of a row.")],
    checkpoint: Annotated[Path, typer.Option(help="A checkpoint whose rows contain it.")],
    as_json: AsJson = False,
) -> None:
    """Show that one row is in a checkpoint, without the other rows (RFC 6962 inclusion proof)."""
    from services.errors import InputError
    from services.governance import checkpoint as checkpoints
    from services.governance import merkle
    from services.settings import load_settings
    from services.storage import audit
    from services.storage.database import connect

    signed = checkpoints.read(checkpoint)
    with connect(load_settings().role_dsn("api"), application="audit") as connection:
        leaves = audit.hashes(connection, signed.rows)
    if row > signed.rows or len(leaves) < signed.rows:
        message = f"the checkpoint covers rows 1 to {signed.rows}, the log has {len(leaves)} of them"
        raise InputError(message)
    proof = merkle.inclusion_proof(leaves, row - 1)
    included = merkle.includes(bytes.fromhex(signed.root), signed.rows, row - 1, leaves[row - 1], proof)
    document = {"row": row, "hash": leaves[row - 1].hex(), "rows": signed.rows, "root": signed.root}
    report(
        {**document, "proof": [node.hex() for node in proof], "included": included},
        [
            f"row {row} {'is' if included else 'is NOT'} in the checkpoint of row {signed.rows}",
            *(n.hex() for n in proof),
        ],
        as_json=as_json,
    )
    if not included:
        raise typer.Exit(1)


def _line(row: Entry) -> str:
    return f"{row.seq:>6} {row.at:%Y-%m-%d %H:%M:%S} {row.action:<22} {row.actor} ({row.role}) {row.body}"
