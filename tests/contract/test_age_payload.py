"""The payload of age: the same bytes whatever the pieces in which they come, and nothing unauthenticated let through."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from hypothesis import given
from hypothesis import strategies as st

from s3duct.adapters.age.payload import (
    PIECE_BYTES,
    SEALED_PIECE_BYTES,
    PayloadOpener,
    PayloadSealer,
    payload_size_bytes,
)
from s3duct.adapters.age.primitives import derive_key
from s3duct.domain.errors import CiphertextDamaged

FILE_KEY, NONCE = bytes(range(16)), bytes(range(100, 116))
PLAIN = random.Random(1).randbytes(5 * PIECE_BYTES)
AEAD = ChaCha20Poly1305(derive_key(FILE_KEY, salt=NONCE, info=b"payload"))
around_a_piece = st.builds(
    lambda pieces, off: max(0, pieces * PIECE_BYTES + off), st.integers(0, 4), st.integers(-3, 3)
)


def reference(plain: bytes) -> bytes:
    """STREAM as the specification has it, in three lines."""
    pieces = [plain[start : start + PIECE_BYTES] for start in range(0, len(plain), PIECE_BYTES)] or [b""]
    marks = [0] * (len(pieces) - 1) + [1]
    return b"".join(
        AEAD.encrypt(number.to_bytes(11, "big") + bytes([mark]), piece, None)
        for number, (piece, mark) in enumerate(zip(pieces, marks, strict=True))
    )


def opened(sealed: bytes, arrivals: list[int], *, position: int = 0) -> bytes:
    opener, buffer = PayloadOpener(FILE_KEY, NONCE, position=position), bytearray(position) + sealed
    with memoryview(buffer) as view:
        for filled in arrivals:
            opener.advance(view, position + filled)
        stop = opener.finish(view, position + len(sealed))
        return bytes(view[:stop])


@given(size_bytes=around_a_piece, seed=st.integers(), position=st.sampled_from([0, 1, 200, 70_000]))
def test_it_is_stream_in_whatever_pieces_it_comes(size_bytes: int, seed: int, position: int) -> None:
    plain, draw = PLAIN[:size_bytes], random.Random(seed)
    cuts = sorted([0, size_bytes, *(draw.randint(0, size_bytes) for _ in range(draw.randint(0, 6)))])
    sealer = PayloadSealer(FILE_KEY, NONCE)
    sealed = b"".join(bytes(sealer.update(memoryview(plain)[a:b])) for a, b in pairwise(cuts))
    sealed += sealer.finish()
    assert sealed == reference(plain)
    assert len(sealed) + 16 == payload_size_bytes(size_bytes)
    arrivals = sorted(draw.randint(0, len(sealed)) for _ in range(draw.randint(0, 6)))
    assert opened(sealed, arrivals, position=position) == plain


def test_many_small_updates_and_one_large_one_are_alike() -> None:
    plain = PLAIN[: 3 * PIECE_BYTES + 10]
    for step in (1000, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, len(plain)):
        sealer = PayloadSealer(FILE_KEY, NONCE)
        view = memoryview(plain)
        pieces = [bytes(sealer.update(view[at : at + step])) for at in range(0, len(plain), step)]
        assert b"".join(pieces) + sealer.finish() == reference(plain)


def test_the_head_comes_first_and_once() -> None:
    sealer = PayloadSealer(FILE_KEY, NONCE)
    assert bytes(sealer.update(memoryview(b"x"), head=b"head")) == b"head"
    assert sealer.finish() == reference(b"x")
    assert PayloadSealer(FILE_KEY, NONCE).finish(head=b"head") == b"head" + reference(b"")


def test_a_piece_is_opened_once_it_is_known_not_to_be_the_last() -> None:
    sealed = bytearray(reference(PLAIN[: 2 * PIECE_BYTES]))
    opener = PayloadOpener(FILE_KEY, NONCE, position=0)
    with memoryview(sealed) as view:
        assert opener.advance(view, SEALED_PIECE_BYTES) == 0
        assert opener.advance(view, SEALED_PIECE_BYTES + 1) == PIECE_BYTES
        assert opener.advance(view, len(sealed)) == PIECE_BYTES
        assert opener.finish(view, len(sealed)) == 2 * PIECE_BYTES


@given(
    size_bytes=st.sampled_from([0, 1, PIECE_BYTES, PIECE_BYTES + 1]), at=st.integers(0), bit=st.integers(0, 7)
)
def test_any_flip_is_found(size_bytes: int, at: int, bit: int) -> None:
    sealed = bytearray(reference(PLAIN[:size_bytes]))
    sealed[at % len(sealed)] ^= 1 << bit
    with pytest.raises(CiphertextDamaged, match="altered"):
        opened(bytes(sealed), [])


@pytest.mark.parametrize("size_bytes", [0, 1, PIECE_BYTES, PIECE_BYTES + 1, 2 * PIECE_BYTES])
def test_any_cut_is_found(size_bytes: int) -> None:
    sealed = reference(PLAIN[:size_bytes])
    draw = random.Random(size_bytes)
    for length in {
        *range(20),
        *(draw.randrange(len(sealed)) for _ in range(20)),
        SEALED_PIECE_BYTES,
        len(sealed) - 1,
    }:
        if length < len(sealed):
            with pytest.raises(CiphertextDamaged):
                opened(sealed[:length], [length // 2])


def test_an_empty_last_piece_is_refused_unless_it_is_the_only_one() -> None:
    first = AEAD.encrypt(bytes(12), PLAIN[:PIECE_BYTES], None)
    last = AEAD.encrypt((1).to_bytes(11, "big") + b"\1", b"", None)
    assert opened(reference(b""), []) == b""
    with pytest.raises(CiphertextDamaged, match="its last piece is empty"):
        opened(first + last, [])


# --- what the adapter relies on in `cryptography` ------------------------------------------------------------------


@pytest.mark.parametrize("size_bytes", [0, 1, 63, 64, 65, 4096, PIECE_BYTES])
def test_cryptography_opens_in_place(size_bytes: int) -> None:
    sealed = bytearray(AEAD.encrypt(bytes(12), PLAIN[:size_bytes], None)) + b"rest"
    with memoryview(sealed) as view:
        assert AEAD.decrypt_into(bytes(12), view[: size_bytes + 16], None, view[:size_bytes]) == size_bytes
    assert sealed[:size_bytes] == PLAIN[:size_bytes]
    assert sealed.endswith(b"rest")


def test_python_moves_between_overlapping_views() -> None:
    buffer = bytearray(PLAIN[:1000])
    with memoryview(buffer) as view:
        view[0:900] = view[100:1000]
    assert buffer[:900] == PLAIN[100:1000]
