"""`arterial privacy attack` and `utility`: how much the releases give away, and how much of the city they keep."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from services.commands.output import AsJson, report


def attack(
    *,
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="NAME", help="This attack; may be repeated.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the generated people; noise is never seeded.")] = 1,
    short: Annotated[bool, typer.Option("--short", help="A smaller city and fewer trials: seconds.")] = False,
    as_json: AsJson = False,
) -> None:
    """Attack our own releases on generated people; every attack first has to work on unprotected data."""
    import sys

    from services.commands.progress import progress_bar
    from services.privacy.attacks import suite
    from services.privacy.attacks.ground import Ground

    attacks = suite.named(only or [])
    with progress_bar("attacks") as tell:
        current = 0

        def begin(name: str) -> None:
            nonlocal current
            current += 1
            if not as_json:
                print(f"{current}/{len(attacks)} {name}", file=sys.stderr, flush=True)

        ground = Ground(
            seed=seed,
            short=short,
            tell=lambda done, of: tell(100 * (current - 1) + 100 * done // of, 100 * len(attacks)),
        )
        document = suite.run(ground, attacks, begin)
    if not only:
        document["stored"] = _keep(document)
    lines = [line for each in document["attacks"] for line in suite.sentences(each)]
    report(document, [*lines, "passed" if document["passed"] else "FAILED"], as_json=as_json)
    if not document["passed"]:
        raise typer.Exit(1)


def _keep(document: dict[str, Any]) -> bool:
    """Store the result for the transparency page, where there is a database."""
    from services.errors import ConfigurationError, UnavailableError
    from services.settings import load_settings
    from services.storage.database import connect
    from services.storage.red_team import store_result

    settings = load_settings()
    try:
        with connect(settings.role_dsn("jobs"), application="attack", autocommit=True) as connection:
            store_result(connection, document)
    except (ConfigurationError, UnavailableError):
        return False
    return True
