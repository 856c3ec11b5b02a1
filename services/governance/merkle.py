"""Code concerned with Merkle trees over the rows of the audit log, as RFC 6962 (section 2.1) defines them. Pure.

A root names all rows at once. An inclusion proof shows that a row is among them, a consistency proof that a later tree
only added rows, each with about log2(n) hashes and without the other rows. Leaves are the rows' hashes of 32 bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

_LEAF = b"\x00"
_NODE = b"\x01"


def leaf_hash(leaf: bytes) -> bytes:
    """The hash of a leaf, which no inner node can have."""
    return hashlib.sha256(_LEAF + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of two subtrees."""
    return hashlib.sha256(_NODE + left + right).digest()


class Growing:
    """The root of a tree that leaves are added to, kept as the roots of its full subtrees, largest first."""

    def __init__(self) -> None:
        self.size = 0
        self._peaks: list[bytes] = []

    def add(self, leaf: bytes) -> None:
        """One more leaf at the end."""
        top = leaf_hash(leaf)
        full = self.size
        while full & 1:
            top = node_hash(self._peaks.pop(), top)
            full >>= 1
        self._peaks.append(top)
        self.size += 1

    def root(self) -> bytes:
        """The root of what was added so far."""
        if not self._peaks:
            return hashlib.sha256().digest()
        top = self._peaks[-1]
        for peak in reversed(self._peaks[:-1]):
            top = node_hash(peak, top)
        return top


def root(leaves: Sequence[bytes]) -> bytes:
    """The root of all leaves."""
    tree = Growing()
    for leaf in leaves:
        tree.add(leaf)
    return tree.root()


def inclusion_proof(leaves: Sequence[bytes], place: int) -> list[bytes]:
    """The hashes that lead from leaf `place` (from 0) to the root, the deepest first."""
    if len(leaves) == 1:
        return []
    split = _split(len(leaves))
    if place < split:
        return [*inclusion_proof(leaves[:split], place), root(leaves[split:])]
    return [*inclusion_proof(leaves[split:], place - split), root(leaves[:split])]


def includes(tree_root: bytes, size: int, place: int, leaf: bytes, proof: Sequence[bytes]) -> bool:
    """Whether `leaf` stands at `place` (from 0) of the tree of that size and root (RFC 9162, 2.1.3.2)."""
    if not 0 <= place < size:
        return False
    at, last, top = place, size - 1, leaf_hash(leaf)
    for sibling in proof:
        if last == 0:
            return False
        if at & 1 or at == last:
            top = node_hash(sibling, top)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            top = node_hash(top, sibling)
        at, last = at >> 1, last >> 1
    return last == 0 and top == tree_root


def consistency_proof(leaves: Sequence[bytes], earlier: int) -> list[bytes]:
    """The hashes that show that the tree of the first `earlier` leaves is the beginning of the tree of all."""
    return _subproof(earlier, leaves, whole=True) if 0 < earlier < len(leaves) else []


def _subproof(earlier: int, leaves: Sequence[bytes], *, whole: bool) -> list[bytes]:
    if earlier == len(leaves):
        return [] if whole else [root(leaves)]
    split = _split(len(leaves))
    if earlier <= split:
        return [*_subproof(earlier, leaves[:split], whole=whole), root(leaves[split:])]
    return [*_subproof(earlier - split, leaves[split:], whole=False), root(leaves[:split])]


def grows_from(earlier_root: bytes, earlier: int, later_root: bytes, later: int, proof: Sequence[bytes]) -> bool:
    """Whether the later tree begins with all of the earlier one (RFC 9162, 2.1.4.2)."""
    if not 0 < earlier <= later:
        return False
    if earlier == later:
        return not proof and earlier_root == later_root
    path = list(proof)
    if earlier & (earlier - 1) == 0:
        path.insert(0, earlier_root)
    if not path:
        return False
    at, last = earlier - 1, later - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    first = second = path[0]
    for node in path[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            first, second = node_hash(node, first), node_hash(node, second)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            second = node_hash(second, node)
        at, last = at >> 1, last >> 1
    return last == 0 and first == earlier_root and second == later_root


def _split(size: int) -> int:
    """The largest power of two below `size`."""
    return 1 << ((size - 1).bit_length() - 1)
