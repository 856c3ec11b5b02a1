"""`arterial doctor`: what is wrong, and what to do about it."""

from __future__ import annotations

import typer

from services.commands.output import AsJson, report


def doctor(*, as_json: AsJson = False) -> None:
    """Examine settings, database, broker, ingest, jobs and disk. Exit code 1 when something is wrong."""
    from services.doctor import examine
    from services.settings import load_settings

    findings = examine(load_settings())
    marks = {"ok": "ok     ", "warning": "WARNING", "wrong": "WRONG  "}
    lines = []
    for finding in findings:
        lines.append(f"{marks[finding.verdict]}  {finding.subject:<12} {finding.fact}")
        if finding.remedy:
            lines.append(f"{'':9}{'':<12} -> {finding.remedy}")
    wrong = any(finding.verdict == "wrong" for finding in findings)
    report(
        {
            "healthy": not wrong,
            "findings": [
                {"subject": f.subject, "verdict": f.verdict, "fact": f.fact, "remedy": f.remedy} for f in findings
            ],
        },
        lines,
        as_json=as_json,
    )
    if wrong:
        raise typer.Exit(1)
