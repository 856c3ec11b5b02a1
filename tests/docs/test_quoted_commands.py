"""Every command that a page, a message or a comment quotes exists, with the options it is quoted with."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from services.cli import app

ROOT = Path(__file__).parents[2]
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "deploy").glob("*.md")]
CODE = [path for name in ("ingest", "services", "dashboards", "simulators") for path in (ROOT / name).rglob("*.py")]
QUOTED = re.compile(r"`arterial ([^`{}]+)`|^ *(?:\.venv/bin/)?arterial ([a-z].*)$", re.MULTILINE)


def quoted(paths: list[Path], pattern: re.Pattern[str]) -> list[str]:
    texts = (path.read_text(encoding="utf-8") for path in paths)
    found = {" ".join("".join(groups).split()) for text in texts for groups in pattern.findall(text)}
    return sorted(found)


def wrong(text: str) -> str | None:
    """What the quoted command names that is not there."""
    at: Any = get_command(app)
    given = shlex.split(text.partition(" # ")[0].partition(" <")[0].rstrip("\\"))
    options: set[str] = set()
    for word in given:
        if word.startswith("--"):
            options.add(word.partition("=")[0])
        elif hasattr(at, "commands") and not options:
            for name in word.split("|"):
                if name not in at.commands:
                    return f"no command {name!r}"
            at = at.commands[word.partition("|")[0]]
    known = {name for one in at.params for name in (*one.opts, *one.secondary_opts)} | {"--help"}
    return f"no option {options - known}" if options - known else None


@pytest.mark.parametrize("text", quoted(PAGES, QUOTED))
def test_a_page_quotes_what_is_there(text: str) -> None:
    assert wrong(text) is None


def test_messages_and_comments_quote_what_is_there() -> None:
    said = quoted(CODE, re.compile(r"`arterial ([^`{}]+)`"))
    assert len(said) > 10
    assert [(text, problem) for text in said if (problem := wrong(text)) is not None] == []


def test_what_is_not_there_would_be_found() -> None:
    assert wrong("privacy plans") == "no command 'plans'"
    assert wrong("doctor --jsno") == "no option {'--jsno'}"
    assert wrong("up|doctor --json") is None
