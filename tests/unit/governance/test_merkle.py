"""The tree is that of RFC 6962, and its proofs hold for what they prove and for nothing else."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.governance import merkle

# The leaves of the test vectors of Certificate Transparency (google/certificate-transparency, merkle_tree_test.cc), and the
# root of all eight.
LEAVES = [bytes.fromhex(text) for text in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")]  # fmt: skip
ROOT_OF_EIGHT = "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"
ROOT_OF_SEVEN = "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c"


def test_roots_are_those_of_certificate_transparency() -> None:
    assert merkle.root(LEAVES).hex() == ROOT_OF_EIGHT
    assert merkle.root(LEAVES[:7]).hex() == ROOT_OF_SEVEN
    assert merkle.root([]) == hashlib.sha256().digest()


@given(size=st.integers(1, 70), data=st.data())
@settings(max_examples=80)
def test_a_proof_of_inclusion_holds_for_its_leaf_and_place_only(size: int, data: st.DataObject) -> None:
    leaves = [bytes([number]) for number in range(size)]
    place = data.draw(st.integers(0, size - 1))
    proof, root = merkle.inclusion_proof(leaves, place), merkle.root(leaves)

    assert merkle.includes(root, size, place, leaves[place], proof)
    assert not merkle.includes(root, size, place, b"other", proof)
    for elsewhere in {place - 1, place + 1, size} - {place}:
        assert not merkle.includes(root, size, elsewhere, leaves[place], proof)
    assert not merkle.includes(root, size, place, leaves[place], [*proof, bytes(32)])


@given(size=st.integers(1, 70), data=st.data())
@settings(max_examples=80)
def test_a_proof_of_growth_fails_when_an_old_leaf_was_replaced(size: int, data: st.DataObject) -> None:
    leaves = [bytes([number]) for number in range(size)]
    earlier = data.draw(st.integers(1, size))
    old = merkle.root(leaves[:earlier])

    assert merkle.grows_from(old, earlier, merkle.root(leaves), size, merkle.consistency_proof(leaves, earlier))

    forged = list(leaves)
    forged[data.draw(st.integers(0, earlier - 1))] = b"forged"
    assert not merkle.grows_from(old, earlier, merkle.root(forged), size, merkle.consistency_proof(forged, earlier))


@pytest.mark.parametrize(("earlier", "later"), [(0, 3), (4, 3)])
def test_nothing_grows_from_nothing_or_backwards(earlier: int, later: int) -> None:
    assert not merkle.grows_from(merkle.root(LEAVES), earlier, merkle.root(LEAVES), later, [])
