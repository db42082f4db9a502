from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from s3duct.domain.chain import ChainLink
from s3duct.domain.digest import DualDigest, dual_digest
from s3duct.domain.encryption import EncryptionMethod
from s3duct.domain.errors import InputDiverged, InputTooShort, JournalDamaged, JournalMismatch, ResumeError
from s3duct.domain.resume import JournalHeader, ResumePlan, ResumeRecord, RunBinding, Verdict, check_binding
from s3duct.domain.sizes import MIB, TIB
from tests.unit.saying import assert_well_said
from tests.unit.strategies import bindings, digests, headers, records_of

if TYPE_CHECKING:
    from collections.abc import Sequence

CHUNK_BYTES = 4

# Few letters, so that other inputs often agree with the recorded one for a while, and have equal chunks in other places.
inputs = st.lists(st.sampled_from(b"ab"), max_size=26).map(bytes)


def cut(stream: bytes) -> list[bytes]:
    return [stream[start : start + CHUNK_BYTES] for start in range(0, len(stream), CHUNK_BYTES)]


@st.composite
def unfinished(draw: st.DrawFn) -> tuple[list[bytes], list[ResumeRecord]]:
    """The chunks of an input, and the records of some of them, in any order."""
    contents = cut(draw(inputs))
    records = records_of(contents)
    kept = draw(st.permutations(records))[: draw(st.integers(0, len(records)))]
    return contents, kept


@dataclasses.dataclass
class Replay:
    """Feeds an input to a plan, as a put does, and keeps what it says."""

    plan: ResumePlan
    verdicts: list[Verdict] = dataclasses.field(default_factory=list)

    def feed(self, contents: Sequence[bytes], *, strict: bool) -> None:
        link = ChainLink()
        try:
            for index, content in enumerate(contents):
                digest = dual_digest(content)
                link = link.extend(digest)
                self.verdicts.append(
                    self.plan.judge(index, size_bytes=len(content), digest=digest, link=link, strict=strict)
                )
            self.plan.judge_end(len(contents), strict=strict)
        except ResumeError as error:
            assert_well_said(error)
            raise


def next_recorded(records: Sequence[ResumeRecord], index: int) -> int | None:
    return min((record.chunk.index for record in records if record.chunk.index >= index), default=None)


@given(unfinished(), st.booleans())
def test_the_same_input_is_stored_where_recorded_and_uploaded_elsewhere(
    run: tuple[list[bytes], list[ResumeRecord]], strict: bool
) -> None:
    contents, records = run
    recorded = {record.chunk.index for record in records}
    plan = ResumePlan(records)
    assert dict(plan.records) == {record.chunk.index: record for record in records}
    assert plan.stored_chunks == len(recorded)
    assert plan.stored_bytes == sum(len(contents[index]) for index in recorded)
    replay = Replay(plan)
    replay.feed(contents, strict=strict)
    assert replay.verdicts == [
        Verdict.STORED if index in recorded else Verdict.UPLOAD for index in range(len(contents))
    ]


@given(unfinished(), st.data(), st.booleans())
def test_a_changed_chunk_is_found_at_or_before_the_next_recorded_one_and_never_too_early(
    run: tuple[list[bytes], list[ResumeRecord]], data: st.DataObject, strict: bool
) -> None:
    contents, records = run
    assume(contents)
    at = data.draw(st.integers(0, len(contents) - 1), label="changed chunk")
    byte = data.draw(st.integers(0, len(contents[at]) - 1), label="changed byte")
    changed = list(contents)
    changed[at] = contents[at][:byte] + b"X" + contents[at][byte + 1 :]
    replay = Replay(ResumePlan(records))
    latest = next_recorded(records, at)
    if latest is None:
        replay.feed(changed, strict=strict)
        assert len(replay.verdicts) == len(changed)
        return
    with pytest.raises(InputDiverged):
        replay.feed(changed, strict=strict)
    assert at <= len(replay.verdicts) <= latest


@pytest.mark.parametrize("change", ["size", "digest", "link"])
def test_size_digest_and_link_must_each_be_those_on_record(change: str) -> None:
    """Each for itself: a record behind a gap was checked against nothing when it was read."""
    record = records_of([b"aaaa", b"bbbb"])[1]
    plan = ResumePlan([record])
    digest, link = record.chunk.digest, record.link
    assert plan.judge(1, size_bytes=4, digest=digest, link=link, strict=True) is Verdict.STORED
    with pytest.raises(InputDiverged):
        plan.judge(
            1,
            size_bytes=5 if change == "size" else 4,
            digest=dual_digest(b"x") if change == "digest" else digest,
            link=ChainLink(bytes(32)) if change == "link" else link,
            strict=True,
        )


@given(unfinished(), inputs, st.booleans())
def test_another_input_is_never_taken_for_the_recorded_one(
    run: tuple[list[bytes], list[ResumeRecord]], other: bytes, strict: bool
) -> None:
    """The model: what is recorded at an index counts if all of the input up to there is the same."""
    contents, records = run
    fed = cut(other)
    recorded = {record.chunk.index for record in records}
    same = next((i for i, pair in enumerate(zip(contents, fed, strict=False)) if pair[0] != pair[1]), None)
    if same is None:
        same = min(len(contents), len(fed))
    replay = Replay(ResumePlan(records))
    try:
        replay.feed(fed, strict=strict)
    except InputDiverged:
        assert len(replay.verdicts) >= same
        assert any(index >= same for index in recorded)
    except InputTooShort:
        assert strict
        assert len(other) < sum(map(len, contents))
        assert any(index >= same for index in recorded)
    else:
        for index, verdict in enumerate(replay.verdicts):
            assert (verdict is Verdict.STORED) == (index in recorded and index < same)
        if strict:
            assert all(index < same for index in recorded)


@given(unfinished(), st.data())
def test_a_shorter_input_is_too_short_if_strict_and_else_ends_earlier(
    run: tuple[list[bytes], list[ResumeRecord]], data: st.DataObject
) -> None:
    contents, records = run
    stream = b"".join(contents)
    kept = data.draw(st.integers(0, len(stream)), label="bytes kept")
    shorter = cut(stream[:kept])
    missed = [r for r in records if r.chunk.index * CHUNK_BYTES + r.chunk.size_bytes > kept]
    if missed:
        with pytest.raises(InputTooShort) as caught:
            Replay(ResumePlan(records)).feed(shorter, strict=True)
        assert "--no-strict-resume" in caught.value.hint
    else:
        Replay(ResumePlan(records)).feed(shorter, strict=True)
    replay = Replay(ResumePlan(records))
    replay.feed(shorter, strict=False)
    whole = {r.chunk.index for r in records} - {r.chunk.index for r in missed}
    assert {i for i, verdict in enumerate(replay.verdicts) if verdict is Verdict.STORED} == whole


def test_an_input_that_ends_within_a_gap_is_too_short_and_not_another_one() -> None:
    """Chunk 1 is not on record, chunk 2 is; the input ends within chunk 1."""
    records = records_of([b"aaaa", b"bbbb", b"cccc"])
    plan = ResumePlan([records[0], records[2]])
    with pytest.raises(InputTooShort):
        Replay(plan).feed([b"aaaa", b"bb"], strict=True)
    replay = Replay(plan)
    replay.feed([b"aaaa", b"bb"], strict=False)
    assert replay.verdicts == [Verdict.STORED, Verdict.UPLOAD]


@given(unfinished(), st.booleans())
def test_a_longer_input_than_the_recorded_end_diverges(
    run: tuple[list[bytes], list[ResumeRecord]], strict: bool
) -> None:
    contents, records = run
    last = len(contents) - 1
    assume(contents and len(contents[last]) < CHUNK_BYTES and any(r.chunk.index == last for r in records))
    replay = Replay(ResumePlan(records))
    with pytest.raises(InputDiverged):
        replay.feed(cut(b"".join(contents) + b"more"), strict=strict)
    assert len(replay.verdicts) == last


@given(unfinished(), st.booleans())
def test_recorded_chunks_are_not_found_in_other_places(
    run: tuple[list[bytes], list[ResumeRecord]], strict: bool
) -> None:
    """One chunk inserted in front, same content otherwise: every record is at a wrong place."""
    contents, records = run
    assume(records)
    with pytest.raises(ResumeError):
        Replay(ResumePlan(records)).feed([b"new!", *contents], strict=strict)


@given(unfinished(), digests, st.data())
def test_records_that_contradict_their_neighbours_are_damage(
    run: tuple[list[bytes], list[ResumeRecord]], digest: DualDigest, data: st.DataObject
) -> None:
    _, records = run
    by_index = {record.chunk.index: record for record in records}
    checked = [i for i in by_index if i == 0 or i - 1 in by_index]
    assume(checked)
    victim = by_index[data.draw(st.sampled_from(checked))]
    if data.draw(st.booleans()):
        assume(digest != victim.chunk.digest)
        forged = dataclasses.replace(victim, chunk=dataclasses.replace(victim.chunk, digest=digest))
    else:
        forged = dataclasses.replace(victim, link=ChainLink(data.draw(st.binary(min_size=32, max_size=32))))
    with pytest.raises(JournalDamaged) as caught:
        ResumePlan([forged if record is victim else record for record in records])
    assert_well_said(caught.value)
    assert "--no-resume" in caught.value.hint


def test_a_later_record_of_a_chunk_replaces_an_earlier_one() -> None:
    first, second = records_of([b"aaaa", b"old"]), records_of([b"aaaa", b"newer"])
    plan = ResumePlan([*first, second[1]])
    assert plan.records[1] == second[1]
    assert (plan.stored_chunks, plan.stored_bytes) == (2, 9)


@given(unfinished(), st.data())
def test_a_chunk_recorded_twice_counts_once(
    run: tuple[list[bytes], list[ResumeRecord]], data: st.DataObject
) -> None:
    _, records = run
    assume(records)
    again = data.draw(st.sampled_from(records))
    once, twice = ResumePlan(records), ResumePlan([*records, again])
    assert dict(once.records) == dict(twice.records)
    assert (once.stored_chunks, once.stored_bytes) == (twice.stored_chunks, twice.stored_bytes)
    assert once.keys == twice.keys == {record.chunk.key for record in records}


@given(unfinished(), st.integers(0, 8))
def test_stored_chunks_are_found_by_index(run: tuple[list[bytes], list[ResumeRecord]], index: int) -> None:
    _, records = run
    recorded = {record.chunk.index for record in records}
    plan = ResumePlan(records)
    assert plan.last_index == max(recorded, default=-1)
    assert plan.next_stored(index) == min((i for i in recorded if i > index), default=-1)
    assert plan.may_be_new(index) == (index not in recorded)
    assert not ResumePlan(records, finished=True).may_be_new(index)


@given(inputs, inputs, st.booleans())
def test_a_finished_run_takes_its_own_input_and_no_other(stored: bytes, other: bytes, strict: bool) -> None:
    contents = cut(stored)
    replay = Replay(ResumePlan(records_of(contents), finished=True))
    if other == stored:
        replay.feed(contents, strict=strict)
        assert replay.verdicts == [Verdict.STORED] * len(contents)
        return
    with pytest.raises(ResumeError):
        replay.feed(cut(other), strict=strict)


@given(inputs, st.booleans(), st.data())
def test_a_finished_run_takes_no_beginning_and_no_continuation_of_its_input(
    stored: bytes, strict: bool, data: st.DataObject
) -> None:
    plan = ResumePlan(records_of(cut(stored)), finished=True)
    Replay(plan).feed(cut(stored), strict=strict)
    with pytest.raises(InputDiverged):
        Replay(plan).feed(cut(stored + b"a"), strict=strict)
    if stored:
        with pytest.raises(InputTooShort):
            Replay(plan).feed(cut(stored[: data.draw(st.integers(0, len(stored) - 1))]), strict=strict)


@given(inputs, inputs, st.booleans())
def test_where_the_input_may_differ_nothing_is_refused_and_only_the_same_beginning_is_stored(
    stored: bytes, other: bytes, strict: bool
) -> None:
    before, now = records_of(cut(stored)), records_of(cut(other))
    plan = ResumePlan(before, may_differ=True)
    verdicts = [
        plan.judge(
            record.chunk.index,
            size_bytes=record.chunk.size_bytes,
            digest=record.chunk.digest,
            link=record.link,
            strict=strict,
        )
        for record in now
    ]
    plan.judge_end(len(now), strict=strict)
    same = 0
    while same < min(len(before), len(now)) and before[same].link == now[same].link:
        same += 1
    assert verdicts == [Verdict.STORED] * same + [Verdict.UPLOAD] * (len(now) - same)


@given(headers)
def test_a_run_and_those_before_it_have_two_generations_each(header: JournalHeader) -> None:
    assert {header.generation, header.run_id[:8]} <= header.generations
    assert {run.generation for run in header.earlier} <= header.generations
    assert all(header.carries(run_id) for run_id in header.run_ids)
    assert len(header.generations) <= 2 * (1 + len(header.earlier))


def test_nothing_recorded_means_everything_is_uploaded() -> None:
    replay = Replay(ResumePlan([]))
    replay.feed([b"aaaa", b"b"], strict=True)
    assert replay.verdicts == [Verdict.UPLOAD, Verdict.UPLOAD]


# --- binding ---------------------------------------------------------------------------------------------------------

BINDING = RunBinding(
    destination="s3://one", prefix="p/", name="s", chunk_size_bytes=512 * MIB, method=EncryptionMethod.NONE,
    key_id="1111aaaa",
)  # fmt: skip
OTHER = RunBinding(
    destination="s3://two", prefix="q/", name="t", chunk_size_bytes=256 * MIB, method=EncryptionMethod.AES_256_GCM,
    key_id="2222bbbb", sealed_manifest=True, storage_class="GLACIER",
)  # fmt: skip
LABELS = {
    "destination": "destination", "prefix": "prefix", "name": "stream name", "chunk_size_bytes": "chunk size",
    "method": "encryption method", "key_id": "key or recipients", "sealed_manifest": "manifest encryption",
    "storage_class": "storage class",
}  # fmt: skip
FIELDS = [field.name for field in dataclasses.fields(RunBinding)]


def header_of(binding: RunBinding) -> JournalHeader:
    return JournalHeader(binding, run_id="00ff", generation="", created="2026-01-01T00:00:00+00:00")


@given(bindings)
def test_the_same_settings_continue_a_journal(binding: RunBinding) -> None:
    check_binding(header_of(binding), dataclasses.replace(binding))


def test_every_setting_is_part_of_the_binding() -> None:
    assert set(LABELS) == set(FIELDS)


@given(st.sets(st.sampled_from(FIELDS), min_size=1))
def test_a_mismatch_names_every_setting_that_differs_and_no_other(differing: set[str]) -> None:
    wanted = dataclasses.replace(BINDING, **{field: getattr(OTHER, field) for field in differing})
    with pytest.raises(JournalMismatch) as caught:
        check_binding(header_of(BINDING), wanted)
    assert_well_said(caught.value)
    _, details = caught.value.message.split(" was started with another ")
    assert {detail.partition(" (")[0] for detail in details.split("; ")} == {
        LABELS[field] for field in differing
    }
    for key_id in (BINDING.key_id, OTHER.key_id):
        assert key_id not in caught.value.message + caught.value.hint


@given(bindings, bindings)
def test_any_other_settings_are_refused(started: RunBinding, wanted: RunBinding) -> None:
    assume(started != wanted)
    with pytest.raises(JournalMismatch) as caught:
        check_binding(header_of(started), wanted)
    assert_well_said(caught.value)


def test_both_values_of_a_setting_are_told() -> None:
    with pytest.raises(JournalMismatch, match=r"chunk size \(512 MiB, now 256 MiB\)"):
        check_binding(header_of(BINDING), dataclasses.replace(BINDING, chunk_size_bytes=256 * MIB))
    with pytest.raises(JournalMismatch, match=r"encryption method \(none, now aes-256-gcm\)"):
        check_binding(header_of(BINDING), dataclasses.replace(BINDING, method=EncryptionMethod.AES_256_GCM))


def test_chunk_sizes_that_differ_by_little_can_be_told_apart() -> None:
    """The message is of no use if it says "512 MiB, now 512 MiB"."""
    with pytest.raises(JournalMismatch) as caught:
        check_binding(header_of(BINDING), dataclasses.replace(BINDING, chunk_size_bytes=512 * MIB + 1))
    before, now = caught.value.message.partition(" (")[2].removesuffix(")").split(", now ")
    assert before != now


def test_a_chunk_size_that_no_run_can_have_is_told_all_the_same() -> None:
    with pytest.raises(JournalMismatch):
        check_binding(header_of(dataclasses.replace(BINDING, chunk_size_bytes=5 * TIB)), BINDING)
