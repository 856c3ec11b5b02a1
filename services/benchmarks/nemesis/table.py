"""Code concerned with showing a report of the nemesis to a person."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_MEANING = {
    "lost": "acknowledged by the broker, neither stored nor dead-lettered",
    "doubled": "stored more than once",
    "altered": "stored with another content than was sent",
    "misplaced": "good among the dead letters, or bad in the table",
    "invented": "stored, but never sent",
    "left_in_spool": "in the spool when the ingest had ended",
    "equation_violations": "times the counters did not add up",
}


def table(report: Mapping[str, Any]) -> Iterator[str]:
    """The lines of a report."""
    yield f"{report['faults']} faults in {report['seconds']:.0f} s with seed {report['seed']}:"
    for name, times in report["by_kind"].items():
        yield f"  {name:<30}{times:>8,}"
    for name, reason in report["skipped"].items():
        yield f"  {name:<30} skipped: {reason}"
    yield f"{report['published']:,} messages acknowledged by the broker, repeats included {report['publishes']:,}:"
    for name in ("stored", "dead_lettered"):
        yield f"  {name:<30}{report[name]:>8,}"
    for name, meaning in _MEANING.items():
        yield f"  {name:<30}{report[name]:>8,}  {meaning}"
    for name, identities in report["examples"].items():
        yield f"  {name}: {', '.join(f'{device} {seq}' for device, seq in identities)}"
    agree = "agree" if report["counters_agree"] else "DO NOT AGREE"
    yield f"  counters and tables {agree}: {', '.join(f'{name} {value:,}' for name, value in report['counters'].items())}"
    yield f"Drained {report['drained_s']:.1f} s after the last fault; the ingest was started {report['ingest_starts']} times."
    if report["slow_stops"]:
        yield f"{report['slow_stops']} times it took longer than its grace to stop."
    if "broker_killed" in report:
        killed = report["broker_killed"]
        yield (
            f"Reported apart: of {killed['published']:,} messages that a broker acknowledged which was then killed "
            f"{killed['kills']} times with SIGKILL, it forgot {killed['missing']:,}."
        )
    for name, found in report.get("peers", {}).items():
        if "skipped" in found:
            yield f"{name}: skipped, {found['skipped']}"
        else:
            yield (
                f"{name} in the same storm: of {found['published']:,} lost {found['lost']:,}, doubled {found['doubled']:,} "
                f"(devices repeated {found['repeated']:,})"
            )
