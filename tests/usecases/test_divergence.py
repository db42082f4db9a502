"""A put that does not continue the run on record is told so, by name, and changes nothing."""

from __future__ import annotations

from typing import Any

import pytest

from s3duct.domain.errors import ExitCode, InputDiverged, JournalMismatch, ResumeError
from s3duct.domain.ports.cipher import Cipher
from tests.fakes.pipe import FakeSource
from tests.usecases.loop import failure_of, on_loop, on_quick_loop
from tests.usecases.world import CHUNK, OTHER_KEY, World, aes, content

CIPHERS = [None, aes()]


def flipped(data: bytes, at: int) -> bytes:
    """`data` with one bit flipped."""
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


@pytest.mark.parametrize("cipher", CIPHERS, ids=["plain", "aes"])
@pytest.mark.parametrize("max_chunks", [None, 1])
@pytest.mark.parametrize("at", [0, CHUNK - 1, CHUNK, 2 * CHUNK - 1, 2 * CHUNK, 3 * CHUNK - 1])
@on_quick_loop
async def test_another_input_changes_nothing(at: int, max_chunks: int | None, cipher: Cipher | None) -> None:
    world = World(cipher=cipher)
    data = content(7 * CHUNK)
    await world.put_cut_off(data, stored={0, 1, 2})
    before, journal = await world.objects(), dict(world.journals.contents)
    again = world.restarted(max_chunks=max_chunks)
    error = await failure_of(again.put(FakeSource(flipped(data, at), reads=[500])))
    assert isinstance(error, InputDiverged)
    assert error.exit_code is ExitCode.RESUME
    assert f"chunk {at // CHUNK}" in error.message
    assert await again.objects() == before
    assert not again.store.writes
    assert again.journals.contents == journal

    third = again.restarted()
    assert (await third.put(data)).chunks_resumed == 3
    assert await third.restored() == data


@on_loop
async def test_a_last_chunk_that_goes_on_differs() -> None:
    """The stored input ended within chunk 2; one that does not is another input."""
    world = World()
    data = content(2 * CHUNK + 100)
    await world.put_cut_off(data, stored={0, 2})
    before = await world.objects()
    again = world.restarted()
    assert isinstance(await failure_of(again.put(data + b"x")), InputDiverged)
    assert (await again.objects()).items() >= before.items()
    third = again.restarted()
    await third.put(data)
    assert await third.restored() == data


@pytest.mark.parametrize("max_chunks", [None, 1, 2])
@pytest.mark.parametrize(
    ("stored", "differs_in"),
    [(stored, at) for stored in ({0, 2}, {0, 3}, {2}, {3}, {0, 3, 5}) for at in range(max(stored) + 1)],
)
@on_quick_loop
async def test_another_input_in_a_gap_spoils_nothing(
    stored: set[int], differs_in: int, max_chunks: int | None
) -> None:
    """A chunk between stored ones is judged by the stored one behind it: nothing that comes before may be on record."""
    world = World()
    data = content(7 * CHUNK)
    await world.put_cut_off(data, stored=stored)
    before, journal = await world.objects(), dict(world.journals.contents)
    again = world.restarted(max_chunks=max_chunks)
    error = await failure_of(again.put(flipped(data, differs_in * CHUNK)))
    assert isinstance(error, InputDiverged)
    objects = await again.objects()
    assert {key: objects[key] for key in before} == before
    assert set(again.journals.recorded()) >= stored
    assert await again.manifest() is None

    third = again.restarted()
    await third.put(data)
    assert await third.restored() == data
    assert not third.store.writes.keys() & {third.chunk_key(index) for index in stored}
    assert journal  # the first one was there


@pytest.mark.parametrize(
    ("name", "settings", "changes"),
    [
        ("chunk size", {"chunk_bytes": 2 * CHUNK}, {}),
        ("key", {"cipher": aes(OTHER_KEY)}, {}),
        ("encryption method", {"cipher": World().cipher}, {}),
        ("manifest encryption", {}, {"seal_manifest": True}),
        ("storage class", {}, {"storage_class": "GLACIER"}),
    ],
)
@on_quick_loop
async def test_other_settings_are_named(name: str, settings: dict[str, Any], changes: dict[str, Any]) -> None:
    world = World(cipher=aes())
    data = content(5 * CHUNK)
    await world.put_cut_off(data, stored={0, 1})
    before, journal = await world.objects(), dict(world.journals.contents)
    again = world.restarted(**settings)
    error = await failure_of(again.put(data, **changes))
    assert isinstance(error, JournalMismatch)
    assert error.exit_code is ExitCode.RESUME
    assert name in error.message
    assert "--no-resume" in error.hint
    assert await again.objects() == before
    assert again.journals.contents == journal
    third = again.restarted(cipher=world.cipher, chunk_bytes=CHUNK)
    assert (await third.put(data)).chunks_resumed == 2


@on_loop
async def test_several_other_settings_are_all_named() -> None:
    world = World(cipher=aes())
    await world.put_cut_off(content(5 * CHUNK), stored={0})
    again = world.restarted(chunk_bytes=2 * CHUNK, cipher=aes(OTHER_KEY))
    error = await failure_of(again.put(content(5 * CHUNK), storage_class="STANDARD_IA"))
    assert isinstance(error, ResumeError)
    for name in ("chunk size", "key", "storage class"):
        assert name in error.message
    assert OTHER_KEY.hex() not in error.message


@on_loop
async def test_the_key_is_never_part_of_journal_or_message() -> None:
    world = World(cipher=aes())
    await world.put_cut_off(content(5 * CHUNK), stored={0})
    (line,) = world.journals.contents.values()
    assert bytes(range(32)).hex().encode() not in line


@on_loop
async def test_an_unfinished_put_to_another_place_is_mentioned() -> None:
    world = World(prefix="here")
    await world.put_cut_off(content(3 * CHUNK), stored={0})
    other = World(prefix="there", bucket=world.bucket, journals=world.journals.survived())
    await other.put(content(3 * CHUNK))
    assert any("memory/here" in str(event) for event in other.events)
    assert other.journals.contents == world.journals.contents
