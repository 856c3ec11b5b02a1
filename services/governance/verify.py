"""Code concerned with judging the audit log: row by row, and against checkpoints that were kept elsewhere. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from services.governance import chain, merkle
from services.governance.chain import Finding
from services.governance.checkpoint import Checkpoint
from services.governance.signing import PublicKey
from services.storage.audit import Entry

_MOST_CHANGED_KEPT: Final = 1_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What was looked at and what is wrong; nothing is when `findings` is empty.

    `unknown_keys` are the keys of checkpoints that were taken at their word, since no public key was given.
    """

    rows: int
    root: str
    checkpoints: int
    findings: tuple[Finding, ...]
    unknown_keys: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether nothing is wrong."""
        return not self.findings


def verify(entries: Iterable[Entry], checkpoints: Sequence[Checkpoint], keys: Sequence[PublicKey]) -> Verdict:
    """Look for rows that were edited, dropped, inserted, reordered, cut off or written anew.

    Args:
        entries: the log, by number.
        checkpoints: kept outside of the database.
        keys: whose signatures count; without any, each checkpoint's own key.

    """
    findings = [found for checkpoint in checkpoints for found in _about_signature(checkpoint, keys)]
    signed = sorted(
        (each for each in checkpoints if not list(_about_signature(each, keys))), key=lambda each: each.rows
    )
    findings += _about_each_other(signed)
    expected = {
        number: digits for each in signed for number, digits in enumerate(each.hashes, start=each.first_hash_of)
    }
    roots: dict[int, str] = dict.fromkeys((each.rows for each in signed), "")
    tree, last = merkle.Growing(), 0
    changed: list[Entry] = []
    replaced: list[int] = []
    for entry, found in chain.check(entries):
        findings += found
        if len(changed) < _MOST_CHANGED_KEPT and any(each.what == "changed" for each in found):
            changed.append(entry)
        if expected.get(entry.seq) not in {None, entry.hash.hex()}:
            replaced.append(entry.seq)
        tree.add(entry.hash)
        last = entry.seq
        if entry.seq in roots and tree.size == entry.seq:
            roots[entry.seq] = tree.root().hex()
    findings += chain.moved(changed)
    findings += _runs(replaced)
    for each in signed:
        findings += _about_rows(each, last, roots[each.rows], replaced)
    return Verdict(
        rows=tree.size,
        root=tree.root().hex(),
        checkpoints=len(checkpoints),
        findings=tuple(findings),
        unknown_keys=() if keys else tuple(sorted({each.key.name for each in signed})),
    )


def _about_signature(checkpoint: Checkpoint, keys: Sequence[PublicKey]) -> Iterator[Finding]:
    where = {"first": 1, "last": checkpoint.rows}
    if not checkpoint.is_signed:
        sentence = f"the signature of {_named(checkpoint)} is not valid: the file was changed"
        yield Finding(what="signature", sentence=sentence, **where)
    elif keys and checkpoint.key not in keys:
        sentence = (
            f"{_named(checkpoint)} is signed with the key {checkpoint.key.name}, which is none of those that count"
        )
        yield Finding(what="signature", sentence=sentence, **where)


def _about_each_other(signed: Sequence[Checkpoint]) -> Iterator[Finding]:
    """Whether each checkpoint only adds rows to the one before it, as far as they say so."""
    for one, other in pairwise(signed):
        same = other.earlier is None or other.earlier.rows != one.rows or other.earlier.root == one.root
        if (one.rows == other.rows and one.root != other.root) or not same:
            sentence = (
                f"{_named(one)} and {_named(other)} are of two logs: rows up to {one.rows} were written anew between"
            )
            yield Finding(what="rewritten", first=1, last=one.rows, sentence=sentence)
    for each in signed:
        earlier = each.earlier
        if earlier is not None and not merkle.grows_from(
            bytes.fromhex(earlier.root),
            earlier.rows,
            bytes.fromhex(each.root),
            each.rows,
            [bytes.fromhex(node) for node in earlier.consistency],
        ):
            sentence = f"{_named(each)} does not prove that it grew from row {earlier.rows}"
            yield Finding(what="rewritten", first=1, last=earlier.rows, sentence=sentence)


def _about_rows(checkpoint: Checkpoint, last: int, root: str, replaced: Sequence[int]) -> Iterator[Finding]:
    if last < checkpoint.rows:
        sentence = f"rows {last + 1} to {checkpoint.rows} are missing at the end: they are in {_named(checkpoint)}"
        yield Finding(what="truncated", first=last + 1, last=checkpoint.rows, sentence=sentence)
    elif root and root != checkpoint.root and not any(number <= checkpoint.rows for number in replaced):
        sentence = (
            f"rows 1 to {checkpoint.rows} are not those of {_named(checkpoint)}: at least one before row "
            f"{checkpoint.first_hash_of} was written anew; the checkpoint before it tells which"
        )
        yield Finding(what="rewritten", first=1, last=checkpoint.first_hash_of - 1, sentence=sentence)


def _runs(replaced: Sequence[int]) -> Iterator[Finding]:
    """Numbers in a row as one finding."""
    first = 0
    for place, number in enumerate(replaced):
        if place == 0 or replaced[place - 1] != number - 1:
            first = number
        if place == len(replaced) - 1 or replaced[place + 1] != number + 1:
            which = f"row {number} is" if first == number else f"rows {first} to {number} are"
            sentence = f"{which} not what a checkpoint has signed: written anew"
            yield Finding(what="rewritten", first=first, last=number, sentence=sentence)


def _named(checkpoint: Checkpoint) -> str:
    return f"the checkpoint of {checkpoint.at:%Y-%m-%d %H:%M} UTC (row {checkpoint.rows})"
