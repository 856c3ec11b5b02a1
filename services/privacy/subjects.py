"""Code concerned with rows that belong to subjects: grouping, ranking and choosing among them. Pure calculation, integers throughout.

Whatever these functions say about a row depends on the rows of its own subject only; that is what bounding is built on.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Integers = NDArray[np.int64]
Subjects = NDArray[np.uint64]
"""Pseudonyms of 16 bytes as two numbers each, shape (rows, 2)."""


def distinct(subject: Subjects, place: Integers) -> tuple[Subjects, Integers]:
    """Each pair of subject and place once, subjects together; places are at least 0."""
    if not len(place):
        return subject, place
    group, names = _numbered(subject)
    span = int(place.max()) + 1
    both = np.sort(group * span + place)  # one number for both sorts several times as fast as three keys
    both = both[np.append(True, both[1:] != both[:-1])]
    return names[both // span], both % span


def _numbered(subject: Subjects) -> tuple[Integers, Subjects]:
    """The number of each row's subject, and the subject of each number; hashing is several times as fast as sorting."""
    first, second = (pc.dictionary_encode(pa.array(np.ascontiguousarray(half))) for half in subject.T)
    many = len(second.dictionary)
    pairs = pc.dictionary_encode(pa.array(first.indices.to_numpy() * np.int64(many) + second.indices.to_numpy()))
    pair = pairs.dictionary.to_numpy()
    names = np.column_stack([first.dictionary.to_numpy()[pair // many], second.dictionary.to_numpy()[pair % many]])
    return pairs.indices.to_numpy().astype(np.int64), names


def group_starts(subject: Subjects) -> NDArray[np.bool_]:
    """Where, in rows with each subject's together, a subject begins."""
    starts = np.ones(len(subject), dtype=np.bool_)
    starts[1:] = (subject[1:] != subject[:-1]).any(axis=1)
    return starts


def rank_in_group(subject: Subjects, value: Subjects) -> Integers:
    """The rank of each row among its subject's rows, by `value`; rows of a subject lie together."""
    starts = group_starts(subject)
    group = np.cumsum(starts)
    order = np.lexsort((value, group))
    rank = np.empty(len(subject), dtype=np.int64)
    position = np.arange(len(subject))
    rank[order] = position - np.maximum.accumulate(np.where(starts, position, 0))
    return rank


def mixed(subject: Subjects, place: Integers) -> Subjects:
    """A well-mixed number of pseudonym and place."""
    return _mix(subject[:, 0] ^ _mix(subject[:, 1] ^ _mix(place.astype(np.uint64))))


def _mix(number: Subjects) -> Subjects:
    """The finaliser of SplitMix64 (Steele, Lea, Flood 2014, https://doi.org/10.1145/2660193.2660195), bijective."""
    number = (number + np.uint64(0x9E3779B97F4A7C15)).astype(np.uint64)
    number = (number ^ (number >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    number = (number ^ (number >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return number ^ (number >> np.uint64(31))
