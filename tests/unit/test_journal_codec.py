from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from s3duct.domain.encryption import EncryptionMethod
from s3duct.domain.errors import JournalDamaged, S3ductError, UnsupportedFormat
from s3duct.domain.journal_codec import (
    JOURNAL_VERSION,
    checked_line,
    decode_journal,
    encode_header,
    encode_record_line,
)
from s3duct.domain.resume import (
    Journal,
    JournalHeader,
    ManifestRecord,
    ResumePlan,
    RunBinding,
    check_binding,
)
from s3duct.domain.strays import MAX_RANGES, ChunkRange
from tests.unit.saying import assert_well_said
from tests.unit.strategies import headers, hex_digests, json_values, records_of, resume_records

HEADER = JournalHeader(
    RunBinding("s3://bucket", "p/", "s", 4096, EncryptionMethod.AES_256_GCM, "0123", True, "GLACIER"),
    run_id="0123456789abcdef",
    generation="0123abcd",
    created="2026-01-01T00:00:00+00:00",
)
RECORDS = tuple(records_of([b"aaaa", b"bbbb", b"cc"]))
LINES = [encode_header(HEADER), *map(encode_record_line, RECORDS)]


def resigned(fields: dict[str, Any]) -> bytes:
    """The line of a program that writes just that."""
    return checked_line({key: value for key, value in fields.items() if key != "check"})


@st.composite
def journals(draw: st.DrawFn) -> Journal:
    header = draw(headers)
    return Journal(header, tuple(draw(st.lists(resume_records(name=header.binding.name), max_size=4))))


def encode(journal: Journal) -> list[bytes]:
    return [encode_header(journal.header), *map(encode_record_line, journal.records)]


def decode(data: bytes) -> tuple[Journal | None, int]:
    try:
        return decode_journal(data)
    except S3ductError as error:
        assert_well_said(error)
        raise


@given(journals())
def test_reading_undoes_writing(journal: Journal) -> None:
    data = b"".join(encode(journal))
    assert decode(data) == (journal, len(data))


@given(journals())
def test_every_record_is_one_line(journal: Journal) -> None:
    for line in encode(journal):
        assert line.endswith(b"\n")
        assert line.splitlines() == [line[:-1]]


def test_a_record_is_a_chunk_record_with_its_link_and_time() -> None:
    assert list(json.loads(LINES[1])) == [
        "index",
        "s3_key",
        "size",
        "sha256",
        "sha3_256",
        "etag",
        "chain",
        "ts",
        "check",
    ]


MANIFEST = ManifestRecord("ab" * 32)


def test_a_manifest_record_is_a_line_with_its_digest_alone() -> None:
    assert encode_record_line(MANIFEST) == checked_line({"manifest_sha256": "ab" * 32})


@given(journals(), st.lists(hex_digests, max_size=3), st.randoms())
def test_digests_of_manifests_are_read_wherever_they_stand(
    journal: Journal, digests: list[str], order: Any
) -> None:
    lines = encode(journal)
    places = sorted(order.randint(0, len(journal.records)) for _ in digests)
    for place, digest in zip(reversed(places), digests, strict=True):
        lines.insert(1 + place, encode_record_line(ManifestRecord(digest)))
    data = b"".join(lines)
    expected = dataclasses.replace(journal, manifests=frozenset(digests))
    assert decode(data) == (expected, len(data))


def test_a_manifest_record_that_was_torn_off_is_none() -> None:
    whole, torn = b"".join(LINES), encode_record_line(MANIFEST)
    for length in range(len(torn)):
        assert decode(whole + torn[:length]) == (Journal(HEADER, RECORDS), len(whole))
    found, _ = decode(whole + torn)
    assert found == Journal(HEADER, RECORDS, frozenset({MANIFEST.sha256}))


@pytest.mark.parametrize(
    "value", ["", "ab", "ab" * 31, "ab" * 33, "AB" * 32, "zz" * 32, "ab" * 31 + "a\n", None, 0, ["ab" * 32]]
)
@pytest.mark.parametrize("number", [1, 2, 4])
def test_a_malformed_digest_of_a_manifest_is_damage(number: int, value: object) -> None:
    line = resigned({"manifest_sha256": value})
    with pytest.raises(JournalDamaged, match=f"line {number + 1} "):
        decode(b"".join([*LINES[:number], line, *LINES[number:], LINES[1]]))


def test_the_header_is_marked_with_its_version() -> None:
    assert next(iter(json.loads(LINES[0]).items())) == ("s3duct_journal", JOURNAL_VERSION)
    assert JOURNAL_VERSION == 1


def test_a_journal_cut_off_anywhere_gives_the_records_before_the_cut() -> None:
    data = b"".join(LINES)
    for length in range(len(data) + 1):
        journal, whole = decode(data[:length])
        lines = data[:length].count(b"\n")
        assert whole == sum(map(len, LINES[:lines]))
        if lines:
            assert journal == Journal(HEADER, RECORDS[: lines - 1])
        else:
            assert journal is None


@given(journals(), st.data())
def test_whatever_follows_the_last_newline_is_a_torn_tail(journal: Journal, data: st.DataObject) -> None:
    lines = encode(journal)
    torn = data.draw(st.binary(max_size=30).filter(lambda tail: b"\n" not in tail))
    kept = data.draw(st.integers(0, len(lines)))
    prefix = b"".join(lines[:kept])
    expected = Journal(journal.header, journal.records[: kept - 1]) if kept else None
    assert decode(prefix + torn) == (expected, len(prefix))


@given(journals(), resume_records(name="n"), st.data())
def test_writing_goes_on_where_the_torn_tail_began(
    journal: Journal, record: Any, data: st.DataObject
) -> None:
    record = dataclasses.replace(
        record, chunk=dataclasses.replace(record.chunk, key=f"{journal.header.binding.name}/chunk-000000")
    )
    lines = encode(journal)
    whole = b"".join(lines)
    cut = data.draw(st.integers(len(lines[0]), len(whole)))
    torn, kept = decode(whole[:cut])
    assert torn is not None
    mended = whole[:kept] + encode_record_line(record)
    assert decode(mended) == (Journal(journal.header, (*torn.records, record)), len(mended))


@given(st.integers(0, len(LINES) - 1), st.data())
def test_a_line_in_the_middle_that_lost_its_end_is_damage(number: int, data: st.DataObject) -> None:
    line = LINES[number]
    cut = line[: data.draw(st.integers(0, len(line) - 2))] + b"\n"
    with pytest.raises(JournalDamaged) as caught:
        decode(b"".join([*LINES[:number], cut, *LINES[number + 1 :], *LINES[1:]]))
    assert "--no-resume" in caught.value.hint


@given(st.integers(0, len(LINES) - 1), st.data())
def test_zeros_in_the_middle_are_damage(number: int, data: st.DataObject) -> None:
    """What file systems leave where the size of a file became durable and its data did not."""
    line = LINES[number][:-1]
    start = data.draw(st.integers(0, len(line) - 1))
    stop = data.draw(st.integers(start + 1, len(line)))
    zeroed = line[:start] + bytes(stop - start) + line[stop:] + b"\n"
    with pytest.raises(JournalDamaged):
        decode(b"".join([*LINES[:number], zeroed, *LINES[number + 1 :], *LINES[1:]]))


@given(st.integers(0, len(LINES) - 2))
def test_a_lost_newline_in_the_middle_is_damage(number: int) -> None:
    with pytest.raises(JournalDamaged):
        decode(b"".join([*LINES[:number], LINES[number][:-1], *LINES[number + 1 :]]))


@pytest.mark.parametrize(
    "line", [b"\n", b"{}\n", b"[]\n", b"null\n", b"\xff\n", b"\r\n", b"[" * 100_000 + b"\n", LINES[0]]
)
@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_line_that_is_no_record_is_damage(number: int, line: bytes) -> None:
    with pytest.raises(JournalDamaged, match=f"line {number + 1} "):
        decode(b"".join([*LINES[:number], line, *LINES[number:]]))


@pytest.mark.parametrize("line", [b"\n", b"{}\n", b"[]\n", b"\xff\n", b"[" * 100_000 + b"\n", LINES[1]])
def test_a_first_line_that_is_no_header_is_damage(line: bytes) -> None:
    with pytest.raises(JournalDamaged, match="first line"):
        decode(line + b"".join(LINES[1:]))


@pytest.mark.parametrize("at", range(len(LINES)))
@pytest.mark.parametrize("value", [None, "", "0" * 16, 0, ["x"]])
def test_a_line_that_does_not_match_its_check_value_is_damage(at: int, value: Any) -> None:
    fields = json.loads(LINES[at]) | {"check": value}
    if value is None:
        del fields["check"]
    lines = [*LINES[:at], json.dumps(fields).encode() + b"\n", *LINES[at + 1 :]]
    with pytest.raises(JournalDamaged):
        decode(b"".join(lines))


@pytest.mark.parametrize("field", ["etag", "encrypted_sha256", "ts", "storage_class", "created"])
def test_what_nothing_else_checks_is_checked_by_the_value_of_its_line(field: str) -> None:
    lines = [line.replace(f'"{field}":"'.encode(), f'"{field}":"0'.encode()) for line in LINES]
    if lines != LINES:
        with pytest.raises(JournalDamaged):
            decode(b"".join(lines))


@pytest.mark.parametrize("field", [field for field in json.loads(LINES[0]) if field != "check"])
def test_a_header_without_one_of_its_fields_is_damage(field: str) -> None:
    fields = json.loads(LINES[0])
    del fields[field]
    with pytest.raises(JournalDamaged):
        decode(resigned(fields))


@pytest.mark.parametrize("field", ["index", "s3_key", "size", "sha256", "sha3_256", "chain", "ts"])
def test_a_record_without_one_of_its_fields_is_damage(field: str) -> None:
    fields = json.loads(LINES[1])
    del fields[field]
    with pytest.raises(JournalDamaged):
        decode(LINES[0] + resigned(fields) + LINES[2])


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("generation", "0123abc"), ("generation", "0123abcde"), ("generation", "0123ABCD"), ("generation", "x"),
        ("generation", "../0123a"), ("run_id", ""), ("run_id", "0123abc"), ("run_id", "g" * 16), ("run_id", "\ud800" * 8),
    ],
)  # fmt: skip
def test_a_header_of_which_no_keys_can_be_made_is_damage(field: str, value: str) -> None:
    fields = json.loads(LINES[0]) | {field: value}
    with pytest.raises(JournalDamaged, match="first line"):
        decode(resigned(fields))


def test_a_newer_journal_is_unsupported_whatever_else_it_says() -> None:
    with pytest.raises(UnsupportedFormat, match="version 2") as caught:
        decode(b'{"s3duct_journal":2}\n')  # its check value may be another, too
    assert "upgrade" in caught.value.hint


@pytest.mark.parametrize("value", ["00" * 31, "00" * 33, "", "zz" * 32, "00 " * 32])
def test_a_link_of_another_length_is_damage(value: str) -> None:
    fields = json.loads(LINES[2]) | {"chain": value}
    with pytest.raises(JournalDamaged):
        decode(LINES[0] + resigned(fields))


def test_a_record_of_another_stream_is_damage() -> None:
    (foreign,) = records_of([b"aaaa"], name="other")
    with pytest.raises(JournalDamaged):
        decode(LINES[0] + encode_record_line(foreign))


@given(st.binary(max_size=200))
def test_arbitrary_bytes_raise_nothing_but_errors_of_ours(data: bytes) -> None:
    try:
        _, whole = decode(data)
    except S3ductError:
        return
    assert whole == 0
    assert b"\n" not in data


def use(data: bytes) -> None:
    """Do with a journal what a put does first."""
    try:
        journal, _ = decode(data)
        if journal is not None:
            check_binding(journal.header, HEADER.binding)
            ResumePlan(journal.records)
    except S3ductError as error:
        assert_well_said(error)


@given(st.data())
def test_arbitrary_values_anywhere_raise_nothing_but_errors_of_ours(data: st.DataObject) -> None:
    documents = [json.loads(line) for line in LINES]
    for _ in range(data.draw(st.integers(1, 3))):
        document = data.draw(st.sampled_from(documents))
        document[data.draw(st.sampled_from(sorted(document)))] = data.draw(json_values)
    use(b"".join(resigned(document) for document in documents))


@pytest.mark.parametrize("number", ["1e999", "-1e999", "1" + "0" * 400, "-1", "0", "1.5", "9" * 5000, "NaN"])
@pytest.mark.parametrize("field", ["s3duct_journal", "chunk_size", "size", "index"])
def test_a_number_beyond_all_bounds_raises_nothing_but_errors_of_ours(field: str, number: str) -> None:
    lines = []
    for line in LINES:
        fields = json.loads(line)
        if field in fields:
            fields[field] = "HERE"
        lines.append(json.dumps(fields).encode().replace(b'"HERE"', number.encode()) + b"\n")
    use(b"".join(lines))


@given(journals(), st.data())
def test_a_damaged_text_raises_nothing_but_errors_of_ours(journal: Journal, data: st.DataObject) -> None:
    encoded = b"".join(encode(journal))
    start = data.draw(st.integers(0, len(encoded)))
    stop = data.draw(st.integers(start, min(len(encoded), start + 40)))
    damaged = encoded[:start] + data.draw(st.binary(max_size=10)) + encoded[stop:]
    assume(damaged != encoded)
    use(damaged)


# --- the copy in the bucket -----------------------------------------------------------------------------------------------


@given(journal=journals(), destination=st.text(max_size=5))
def test_a_copy_in_the_bucket_is_of_where_it_lies(journal: Journal, destination: str) -> None:
    """It does not say what its writer calls the bucket: another machine may call it otherwise."""
    lines = [encode_header(journal.header, in_bucket=True), *map(encode_record_line, journal.records)]
    assert b"destination" not in lines[0]
    read, _ = decode_journal(b"".join(lines), destination=destination)
    binding = dataclasses.replace(journal.header.binding, destination=destination)
    assert read == dataclasses.replace(journal, header=dataclasses.replace(journal.header, binding=binding))


def test_a_local_journal_without_its_destination_is_damaged() -> None:
    with pytest.raises(JournalDamaged):
        decode_journal(encode_header(HEADER, in_bucket=True))


@pytest.mark.parametrize(
    "earlier",
    [
        None,
        "0123456789abcdef",
        ["0123456789abcdef"],
        [{}],
        [{"run_id": "0123456789abcdef"}],
        [{"run_id": "0123456789abcdef", "generation": "../x"}],
        [{"run_id": "../../../x", "generation": ""}],
    ],
)
def test_earlier_runs_that_are_none_are_damage(earlier: object) -> None:
    fields = json.loads(LINES[0])
    with pytest.raises(JournalDamaged):
        decode_journal(resigned({**fields, "earlier": earlier}))


@pytest.mark.parametrize(
    "replaces",
    [
        None,
        ["01234567"],
        [{}],
        [{"generation": ""}],
        [{"generation": "", "chunks": 0}],
        [{"generation": "", "chunks": "5"}],
        [{"generation": "../x", "chunks": 5}],
        [{"generation": f"{number:08x}", "chunks": 5} for number in range(MAX_RANGES + 1)],
    ],
    ids=["none", "text", "empty", "no count", "zero", "count as text", "another folder", "too many"],
)
def test_what_cannot_be_replaced_is_damage(replaces: object) -> None:
    fields = json.loads(LINES[0])
    with pytest.raises(JournalDamaged):
        decode_journal(resigned({**fields, "replaces": replaces}))


def test_a_header_stays_small_whatever_the_run_replaces() -> None:
    replaces = tuple(ChunkRange(f"{number:08x}", 1_000_000) for number in range(MAX_RANGES))
    line = encode_header(dataclasses.replace(HEADER, replaces=replaces))
    journal, _ = decode_journal(line)
    assert journal is not None
    assert journal.header.replaces == replaces
    assert len(line) < 5000


def test_damage_behind_the_header_says_whose_journal_it_is() -> None:
    with pytest.raises(JournalDamaged) as caught:
        decode_journal(LINES[0] + b"{}\n")
    assert caught.value.run_id == HEADER.run_id
    with pytest.raises(JournalDamaged) as caught:
        decode_journal(b"{}\n")
    assert caught.value.run_id == ""
