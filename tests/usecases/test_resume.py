"""A put that ended early goes on where it was, and nothing that is stored is sent again."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from s3duct.domain.errors import (
    InputTooShort,
    JournalDamaged,
    RunInProgress,
    S3ductError,
    SourceError,
    StoreError,
    UnsupportedFormat,
)
from s3duct.domain.journal_codec import encode_record_line
from s3duct.domain.ports.cipher import Cipher
from tests.fakes.hooks import fails_for, on_key, refused
from tests.fakes.pipe import FailingSource, FakeSource
from tests.usecases.loop import failure_of, on_loop, on_quick_loop, run
from tests.usecases.world import CHUNK, PLAIN_KEYS, World, aes, content

CIPHERS = [None, aes()]


@pytest.mark.parametrize("cipher", CIPHERS, ids=["plain", "aes"])
@pytest.mark.parametrize("failing", range(5))
@on_quick_loop
async def test_a_put_resumes_after_the_failure_of_any_chunk(failing: int, cipher: Cipher | None) -> None:
    world = World(cipher=cipher)
    data = content(4 * CHUNK + 9)
    key = PLAIN_KEYS[failing]
    world.store.hooks.append(fails_for(lambda operation: operation.key == key, error=refused))
    assert isinstance(await failure_of(world.put(data)), StoreError)
    assert await world.manifest() is None
    stored = world.journals.recorded()
    assert failing not in stored

    again = world.restarted()
    summary = await again.put(data)
    assert summary.chunks_resumed == len(stored)
    assert not again.store.writes.keys() & {PLAIN_KEYS[index] for index in stored}
    assert set(again.store.writes.values()) == {1}
    assert await again.restored() == data
    assert again.journals.contents == {}


async def with_gaps(stored: set[int], chunks: int, cipher: Cipher | None, max_chunks: int | None) -> None:
    world = World(cipher=cipher)
    data = content(chunks * CHUNK - 3)
    await world.put_cut_off(data, stored=stored)
    before = await world.objects()
    again = world.restarted(max_chunks=max_chunks)
    summary = await again.put(FakeSource(data, reads=[333]))
    assert summary.chunks_resumed == len(stored)
    for index in range(chunks):
        key = PLAIN_KEYS[index]
        assert again.store.writes[key] == (0 if index in stored else 1)
        if index in stored:
            assert (await again.objects())[key] == before[key]
    assert await again.restored() == data
    assert (await again.verify(deep=True)).ok
    assert again.journals.contents == {}


@settings(max_examples=20)
@given(
    stored=st.sets(st.integers(0, 6)),
    beyond=st.integers(1, 3),
    cipher=st.sampled_from(CIPHERS),
    max_chunks=st.sampled_from([None, 1, 2]),
)
def test_gaps_are_filled(
    stored: set[int], beyond: int, cipher: Cipher | None, max_chunks: int | None
) -> None:
    """Chunks complete in any order, so a crash leaves any set of them on record."""
    run(with_gaps(stored, max(stored, default=0) + beyond, cipher, max_chunks), debug=False)


@on_loop
async def test_a_put_resumes_again_and_again() -> None:
    data = content(6 * CHUNK)
    world = World(max_chunks=1)
    writes: dict[str, int] = {}
    for index in itertools.count(1):
        key = PLAIN_KEYS[index]
        world.store.hooks.append(fails_for(on_key(key), error=refused))
        done = False
        try:
            await world.put(data)
            done = True
        except StoreError:
            pass
        for written, count in world.store.writes.items():
            if written != key or done:
                writes[written] = writes.get(written, 0) + count
        if done:
            break
        world = world.restarted()
    assert writes == dict.fromkeys([*PLAIN_KEYS[:6], world.location.manifest_key], 1)
    assert await world.restored() == data


@on_loop
async def test_everything_stored_but_no_manifest() -> None:
    world = World()
    data = content(3 * CHUNK)
    world.store.hooks.append(
        fails_for(
            lambda operation: operation.key.endswith(".manifest.json") and operation.writes, error=refused
        )
    )
    await failure_of(world.put(data))
    again = world.restarted()
    await again.put(data)
    assert list(again.store.writes) == [world.location.manifest_key]
    assert await again.restored() == data


@on_loop
async def test_a_longer_input_goes_on_behind_whole_chunks() -> None:
    """What is stored is the beginning of this input: nobody can tell, and nobody need to."""
    world = World()
    await world.put_cut_off(content(4 * CHUNK), stored={0, 1, 2})
    again = world.restarted()
    await again.put(content(9 * CHUNK))
    assert await again.restored() == content(9 * CHUNK)


@pytest.mark.parametrize("gone", [{0}, {1}, {0, 1}])
@on_quick_loop
async def test_chunks_that_vanished_from_the_bucket_are_stored_again(gone: set[int]) -> None:
    """The journal says that they were stored, not that nobody has cleaned up since."""
    world = World()
    data = content(4 * CHUNK)
    await world.put_cut_off(data, stored={0, 1})
    for index in gone:
        await world.delete(PLAIN_KEYS[index])
    again = world.restarted()
    try:
        await again.put(data)
    except S3ductError:
        assert await again.manifest() is None
    else:
        assert await again.restored() == data


@on_quick_loop
async def test_a_chunk_of_another_size_in_the_bucket_is_not_taken_for_the_stored_one() -> None:
    world = World()
    data = content(4 * CHUNK)
    await world.put_cut_off(data, stored={0, 1})
    await world.write(PLAIN_KEYS[1], b"somebody else's")
    again = world.restarted()
    try:
        await again.put(data)
    except S3ductError:
        assert await again.manifest() is None
    else:
        assert await again.restored() == data


# --- the input ends early ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 3 * CHUNK - 1])
@on_quick_loop
async def test_a_shorter_input_is_refused(size: int) -> None:
    world = World()
    data = content(5 * CHUNK)
    await world.put_cut_off(data, stored={0, 1, 2})
    before, journal = await world.objects(), dict(world.journals.contents)
    again = world.restarted()
    assert isinstance(await failure_of(again.put(data[:size])), InputTooShort)
    assert await again.objects() == before
    assert again.journals.contents == journal
    third = again.restarted()
    assert (await third.put(data)).chunks_resumed == 3
    assert await third.restored() == data


@pytest.mark.parametrize("size", [1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 3 * CHUNK - 1])
@on_quick_loop
async def test_a_shorter_input_is_accepted_if_asked_for(size: int) -> None:
    world = World()
    data = content(5 * CHUNK)
    await world.put_cut_off(data, stored={0, 1, 2})
    again = world.restarted()
    await again.put(data[:size], strict_resume=False)
    assert await again.restored() == data[:size]
    assert (await again.verify(deep=True)).ok
    assert set(await again.objects()) == await again.named_keys() | {world.location.manifest_key}
    assert again.journals.contents == {}


@pytest.mark.parametrize("size", [CHUNK + 5, 2 * CHUNK, 2 * CHUNK + 5])
@on_quick_loop
async def test_a_shorter_input_that_ends_in_a_gap_spoils_nothing(size: int) -> None:
    """A producer that died must not make the right input a foreign one."""
    world = World()
    data = content(5 * CHUNK)
    await world.put_cut_off(data, stored={0, 3})
    again = world.restarted()
    assert isinstance(await failure_of(again.put(data[:size])), InputTooShort)
    third = again.restarted()
    await third.put(data)
    assert await third.restored() == data


@on_loop
async def test_a_shorter_last_chunk_never_takes_the_place_of_one_on_record() -> None:
    """The manifest may never be written: then the journal would vouch for an object that is another one by now."""
    world = World()
    data = content(3 * CHUNK)
    await world.put_cut_off(data, stored={0, 1})
    second = world.restarted()
    second.store.hooks.append(
        fails_for(lambda op: op.writes and op.key.endswith(".manifest.json"), error=refused)
    )
    assert isinstance(await failure_of(second.put(data[: CHUNK + 5], strict_resume=False)), StoreError)
    third = second.restarted()
    await third.put(data)
    assert await third.restored() == data


@pytest.mark.parametrize("size", [CHUNK + 5, 2 * CHUNK, 5])
@on_quick_loop
async def test_a_shorter_input_resumes_after_a_failure_as_well(size: int) -> None:
    """Its short chunk is never on record beside chunks of the longer one."""
    world = World()
    data = content(4 * CHUNK)
    await world.put_cut_off(data, stored={0, 1, 2})
    second = world.restarted()
    second.store.hooks.append(
        fails_for(lambda op: op.writes and op.key.endswith(".manifest.json"), error=refused)
    )
    assert isinstance(await failure_of(second.put(data[:size], strict_resume=False)), StoreError)
    third = second.restarted()
    await third.put(data[:size], strict_resume=False)
    assert await third.restored() == data[:size]
    assert set(await third.objects()) == await third.named_keys() | {third.location.manifest_key}


@on_loop
async def test_an_empty_input_does_not_drop_what_is_on_record() -> None:
    world = World()
    data = content(4 * CHUNK)
    await world.put_cut_off(data, stored={0, 1})
    second = world.restarted()
    await failure_of(second.put(b"", strict_resume=False))
    third = second.restarted()
    assert (await third.put(data)).chunks_resumed == 2
    assert await third.restored() == data


# --- the source fails ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, 2 * CHUNK + 7])
@on_quick_loop
async def test_a_source_that_fails_leaves_no_manifest_and_whole_chunks_only(size: int) -> None:
    world = World()
    data = content(5 * CHUNK)
    source = FailingSource(data[:size], SourceError("the tape is torn"))
    assert isinstance(await failure_of(world.put(source)), SourceError)
    assert await world.manifest() is None
    journal = world.journals.journal()
    assert journal is not None
    assert all(record.chunk.size_bytes == CHUNK for record in journal.records)
    again = world.restarted()
    await again.put(data)
    assert await again.restored() == data


# --- the journal --------------------------------------------------------------------------------------------------


@on_loop
async def test_two_puts_of_one_stream_do_not_run_at_once() -> None:
    world = World()
    other = World(bucket=world.bucket, journals=world.journals)

    class Meddling(FakeSource):
        def read_into(self, view: memoryview) -> int:
            assert world.journals.held
            return super().read_into(view)

    await world.put(Meddling(content(CHUNK)), clobber=True)
    world.journals.held.add(("memory", "", "stream"))
    assert isinstance(await failure_of(other.put(b"x", clobber=True)), RunInProgress)
    assert await other.restored() == content(CHUNK)


@on_loop
async def test_records_that_contradict_each_other_are_not_resumed_from() -> None:
    world = World()
    data = content(4 * CHUNK)
    await world.put_cut_off(data, stored={0, 1})
    journal = world.journals.journal()
    assert journal is not None
    await world.put_cut_off(content(4 * CHUNK, 1), stored={0, 1}, resume=False)
    foreign = world.journals.journal()
    assert foreign is not None
    (place,) = world.journals.contents
    whole = world.journals.contents[place]
    world.journals.contents[place] = whole + b"".join(
        encode_record_line(record) for record in journal.records[1:]
    )
    before = await world.objects()
    assert isinstance(await failure_of(world.put(data)), JournalDamaged)
    assert await world.objects() == before


@on_loop
async def test_a_damaged_journal_is_told_and_can_be_left_aside() -> None:
    world = World()
    data = content(4 * CHUNK)
    await world.put_cut_off(data, stored={0, 1})
    (place,) = world.journals.contents
    world.journals.contents[place] = world.journals.contents[place].replace(b'"sha256":"', b'"sha256":"zz', 1)
    damaged = dict(world.journals.contents)
    error = await failure_of(world.restarted().put(data))
    assert isinstance(error, JournalDamaged)
    assert "--no-resume" in error.hint
    again = world.restarted()
    assert again.journals.contents == damaged
    await again.put(data, resume=False)
    assert await again.restored() == data


@on_loop
async def test_a_journal_of_a_newer_version_can_be_left_aside() -> None:
    world = World()
    data = content(4 * CHUNK)
    await world.put_cut_off(data, stored={0, 1})
    (place,) = world.journals.contents
    written = world.journals.contents[place]
    world.journals.contents[place] = written.replace(b'"s3duct_journal":1', b'"s3duct_journal":2')
    error = await failure_of(world.restarted().put(data))
    assert isinstance(error, UnsupportedFormat)
    assert "--no-resume" in error.hint
    again = world.restarted()
    await again.put(data, resume=False)
    assert await again.restored() == data


@pytest.mark.parametrize("copied", [True, False], ids=["", "and the bucket's copy is gone"])
@on_quick_loop
async def test_a_torn_last_record_costs_one_chunk_only(copied: bool) -> None:
    """Nothing at all, as long as the bucket's copy has it."""
    world = World(max_chunks=1)
    data = content(4 * CHUNK)
    await world.put_cut_off(data, stored={0, 1, 2})
    (place,) = world.journals.contents
    world.journals.contents[place] = world.journals.contents[place][:-20]
    if not copied:
        for key in await world.resume_keys():
            await world.delete(key)
    again = world.restarted()
    assert (await again.put(data)).chunks_resumed == (3 if copied else 2)
    assert await again.restored() == data
