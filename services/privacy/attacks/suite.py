"""Code concerned with running the attacks, and with the document that says what they found."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from services.errors import NotFoundError
from services.privacy.attacks.catalogue import ATTACKS
from services.privacy.attacks.contract import Attack, Finding
from services.privacy.attacks.ground import Ground

ON_A_PLATFORM: Final = frozenset({"averaging", "unicity", "side-channels"})
"""The attacks that ask a running platform."""


def named(names: Sequence[str]) -> tuple[Attack, ...]:
    """The attacks of these names, all of them for none.

    Raises:
        NotFoundError: there is no attack of a name; the message names those there are.

    """
    known = {attack.name: attack for attack in ATTACKS}
    unknown = [name for name in names if name not in known]
    if unknown:
        message = f"there is no attack {', '.join(unknown)}, only {', '.join(known)}"
        raise NotFoundError(message)
    return tuple(known[name] for name in names) if names else ATTACKS


def run(ground: Ground, attacks: Sequence[Attack], begin: Callable[[str], None]) -> dict[str, Any]:
    """Run attacks one after the other.

    Args:
        ground: what they stand on.
        attacks: which.
        begin: hears the name of each before it runs.

    Returns:
        `{"passed", "seed", "short", "plans", "seconds", "attacks": [{"name", "control", "control_passed", "advantage",
        "limit", "epsilon_hat", "passed", …}]}`: what `arterial privacy attack --json` prints.

    """
    started = time.monotonic()
    documents = []
    for attack in attacks:
        begin(attack.name)
        clock = time.monotonic()
        found = attack.run(ground)
        documents.append(_document(attack.name, found) | {"seconds": round(time.monotonic() - clock, 1)})
    return {
        "passed": all(document["passed"] for document in documents),
        "seed": ground.seed,
        "short": ground.short,
        "generated": True,
        "seconds": round(time.monotonic() - started, 1),
        "attacks": documents,
    }


def sentences(document: dict[str, Any]) -> list[str]:
    """What an attack found, for a person."""
    audited = (
        ""
        if document["epsilon_hat"] is None
        else (f"; epsilon at least {document['epsilon_hat']:.3f} of {document['epsilon_claimed']:g}")
    )
    control = "works" if document["control_passed"] else "DOES NOT WORK, so this says nothing"
    verdict = "passed" if document["passed"] else "FAILED"
    first = (
        f"{verdict}  {document['name']}: advantage {document['advantage']:.3f}, limit {document['limit']:.3f}{audited}; "
        f"on unprotected data it {control} ({document['control']:.2f})"
    )
    others = [
        f"        {'' if line['passed'] else 'FAILED '}{line['what']}: {line['value']:.4g}, limit {line['limit']:.4g}"
        for line in document["lines"][1:]
    ]
    return [first, *others, f"        {document['explanation']}"]


def _document(name: str, found: Finding) -> dict[str, Any]:
    advantage = found.lines[0]
    return {
        "name": name,
        "control": found.control,
        "control_needed": found.control_needed,
        "control_passed": found.control_passed,
        "advantage": advantage.value,
        "advantage_interval": [advantage.low, advantage.high],
        "limit": advantage.limit,
        "epsilon_hat": found.epsilon_hat,
        "epsilon_claimed": found.epsilon_claimed,
        "passed": found.passed,
        "lines": [
            {
                "what": line.what,
                "value": line.value,
                "interval": [line.low, line.high],
                "limit": line.limit,
                "passed": line.passed,
            }
            for line in found.lines
        ],
        "explanation": found.explanation,
    }
