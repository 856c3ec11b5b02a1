"""A lint or type exception says on its line why it is made."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXCEPTION = re.compile(
    r"#\s*(?:noqa|type:\s*ignore)\b:?\s*(?P<which>\[[\w\-, ]+\]|[A-Z]+[0-9]+(?:,\s*[A-Z]+[0-9]+)*)?(?P<rest>.*)"
)
REASON = re.compile(r"\s*[-#–—:]\s*\w")


def unexplained(line: str) -> bool:
    found = EXCEPTION.search(line)
    if found is None:
        return False
    rest = found["rest"]  # two exceptions may share a reason
    return not found["which"] or (unexplained(rest) if EXCEPTION.search(rest) else REASON.match(rest) is None)


def test_every_exception_names_its_rule_and_its_reason() -> None:
    found = []
    for folder in ("simulators", "ingest", "models", "services", "dashboards", "tests"):
        for file in sorted((ROOT / folder).rglob("*.py")):
            lines = enumerate(file.read_text(encoding="utf-8").splitlines(), start=1)
            wrong = [f"{file.relative_to(ROOT)}:{k}: {line.strip()}" for k, line in lines if unexplained(line)]
            found += wrong if file != Path(__file__) else []
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("x = 1  # noqa", True),
        ("x = 1  # noqa: S101", True),
        ("x = f()  # type: ignore[no-untyped-call]", True),
        ("x = f()  # type: ignore  # the library ships no types", True),
        ("x = f()  # type: ignore[arg-type]  # noqa: S608", True),
        ("x = f()  # type: ignore[arg-type]  # noqa: S608 - a constant", False),
        ("x = 1  # noqa: S101, S608 - names of this file", False),
        ("x = f()  # type: ignore[no-untyped-call]  # the library ships no types", False),
        ("x = 1", False),
    ],
)
def test_what_counts_as_a_reason(line: str, wrong: bool) -> None:
    assert unexplained(line) is wrong
