"""Attacks on the local journal of an unfinished run. The journal alone is changed, the bucket is as the run left it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from tests.tamper.attacks import Attack, Catalogue, Target
from tests.tamper.journal_scene import JournalScene, Line, decayed, text_of
from tests.tamper.scene import GENUINE, chain, cut, describe

JOURNAL_ATTACKS: Catalogue[JournalScene] = Catalogue(Target.JOURNAL)
_add = JOURNAL_ATTACKS.add
Work = Callable[[JournalScene], Awaitable[None]]

HEADER_FIELDS = [
    "s3duct_journal",
    "run_id",
    "generation",
    "created",
    "over",
    "destination",
    "prefix",
    "name",
    "chunk_size",
    "encryption_method",
    "key_id",
    "encrypted_manifest",
    "storage_class",
]
RECORD_FIELDS = [
    "index",
    "s3_key",
    "size",
    "sha256",
    "sha3_256",
    "etag",
    "encrypted_size",
    "encrypted_sha256",
    "chain",
    "ts",
]
COVERED_BY_THE_CHECK_ALONE = ["etag", "encrypted_sha256"]
_METHODS = {None: "age", "age": "aes-256-gcm", "aes-256-gcm": None}


def edit_lines(change: Callable[[list[Line]], object]) -> Work:
    """Change the decoded lines."""

    async def work(scene: JournalScene) -> None:
        lines = scene.lines
        change(lines)
        scene.lines = lines

    return work


def let_decay(change: Callable[[list[Line]], object]) -> Work:
    """Change the decoded lines as a failing disk does. For fields that nothing but the check value of their line covers."""

    async def work(scene: JournalScene) -> None:
        lines = scene.lines
        change(lines)
        scene.text = decayed(lines)

    return work


def edit_text(change: Callable[[bytes], bytes]) -> Work:
    """Change the bytes."""

    async def work(scene: JournalScene) -> None:
        scene.text = change(scene.text)

    return work


def replace_by(choose: Callable[[JournalScene], bytes]) -> Work:
    """Put another journal in its place."""

    async def work(scene: JournalScene) -> None:
        scene.text = choose(scene)

    return work


def alter(line: Line, field: str) -> None:
    """Change one field to another value of its type that could stand there."""
    value = line[field]
    if field == "encryption_method":
        line[field] = _METHODS[value]
    elif isinstance(value, bool):
        line[field] = not value
    elif isinstance(value, int):
        line[field] = value ^ 1
    elif field == "etag":
        line[field] = '"0"'
    elif value and value[-1] in "0123456789abcdef":
        line[field] = value[:-1] + ("1" if value[-1] == "0" else "0")
    else:
        line[field] = value + "x"


def alter_line(number: int, field: str) -> Work:
    edit = let_decay if field in COVERED_BY_THE_CHECK_ALONE else edit_lines
    return edit(lambda lines: alter(lines[number], field))


for _field in HEADER_FIELDS:
    _add(Attack.FLIP, f"{_field}-of-the-header", alter_line(0, _field))
for _field in RECORD_FIELDS:
    _add(Attack.FLIP, f"{_field}-of-a-record", alter_line(2, _field))
_add(Attack.FLIP, "generation-that-is-none", edit_lines(lambda lines: lines[0].update(generation="0000000g")))
_add(Attack.FLIP, "run-id-that-is-none", edit_lines(lambda lines: lines[0].update(run_id="g")))
_add(Attack.FLIP, "first-byte", edit_text(lambda text: b"z" + text[1:]))
_add(Attack.FLIP, "a-line-break", edit_text(lambda text: text.replace(b"\n", b"\x0b", 2)))

_add(Attack.TRUNCATE, "within-the-last-line", edit_text(lambda text: text[:-20]))
_add(Attack.TRUNCATE, "before-the-last-line-break", edit_text(lambda text: text[:-1]))
_add(Attack.TRUNCATE, "within-the-header", edit_text(lambda text: text[:20]))
_add(Attack.TRUNCATE, "within-a-line-between", edit_text(lambda text: text[:-500] + text[-300:]))

_add(Attack.EXTEND, "by-a-torn-line", edit_text(lambda text: text + b'{"index":3,"s3_'))
_add(Attack.EXTEND, "by-a-line-of-garbage", edit_text(lambda text: text + b"garbage\n"))
_add(Attack.EXTEND, "by-an-empty-line", edit_text(lambda text: text + b"\n"))
_add(Attack.EXTEND, "by-an-unknown-field", edit_lines(lambda lines: lines[1].update(more=1)))


def next_record(lines: list[Line], key: str) -> Line:
    """A record of the chunk that comes next, as one who knows the content can make it."""
    record = {**lines[3], "index": 3, "s3_key": key, **describe(cut(GENUINE)[3])}
    record["chain"] = chain([*lines[1:], record])[3]
    return record


@JOURNAL_ATTACKS.variant(Attack.EXTEND)
async def by_a_record_of_a_chunk_that_is_not_there(scene: JournalScene) -> None:
    lines = scene.lines
    scene.lines = [*lines, next_record(lines, lines[3]["s3_key"].replace("000002", "000003"))]


@JOURNAL_ATTACKS.variant(Attack.EXTEND)
async def by_a_record_that_names_another_chunk(scene: JournalScene) -> None:
    lines = scene.lines
    scene.lines = [*lines, next_record(lines, lines[1]["s3_key"])]


@JOURNAL_ATTACKS.variant(Attack.EXTEND)
async def by_a_record_that_names_a_chunk_of_the_older_stream(scene: JournalScene) -> None:
    lines = scene.lines
    scene.lines = [*lines, next_record(lines, "stream/chunk-000003")]


def exchange(lines: list[Line], *fields: str) -> None:
    one, two = lines[1:3]
    for field in fields:
        one[field], two[field] = two[field], one[field]


def reorder(lines: list[Line]) -> None:
    lines[1], lines[3] = lines[3], lines[1]


_add(Attack.SWAP, "order-of-records", edit_lines(reorder))
_add(Attack.SWAP, "keys-of-records", edit_lines(lambda lines: exchange(lines, "s3_key")))
_add(Attack.SWAP, "tags-of-records", let_decay(lambda lines: exchange(lines, "etag")))
_add(Attack.SWAP, "sealed-digests-of-records", let_decay(lambda lines: exchange(lines, "encrypted_sha256")))
_add(Attack.SWAP, "digests-of-records", edit_lines(lambda lines: exchange(lines, "sha256", "sha3_256")))
_add(Attack.SWAP, "indices-of-records", edit_lines(lambda lines: exchange(lines, "index")))


def exchange_content(lines: list[Line]) -> None:
    exchange(lines, "sha256", "sha3_256")
    for line, link in zip(lines[1:], chain(lines[1:]), strict=True):
        line["chain"] = link


_add(Attack.SWAP, "digests-of-records-relinked", edit_lines(exchange_content))

_add(Attack.DROP, "the-journal", replace_by(lambda _: b""))
_add(Attack.DROP, "the-header", edit_lines(lambda lines: lines.pop(0)))
_add(Attack.DROP, "a-record", edit_lines(lambda lines: lines.pop(2)))
_add(Attack.DROP, "all-records", edit_lines(lambda lines: lines.__delitem__(slice(1, 4))))

_add(Attack.DUPLICATE, "a-record", edit_lines(lambda lines: lines.append(lines[2])))
_add(Attack.DUPLICATE, "the-header", edit_lines(lambda lines: lines.insert(1, lines[0])))


@JOURNAL_ATTACKS.variant(Attack.DUPLICATE)
async def a_record_under_the_next_index(scene: JournalScene) -> None:
    lines = scene.lines
    record = {**lines[3], "index": 3}
    record["chain"] = chain([*lines[1:], record])[3]
    scene.lines = [*lines, record]


def line_of(text: bytes, number: int) -> bytes:
    return text.splitlines(keepends=True)[number]


def splice(choose: Callable[[JournalScene], bytes]) -> Work:
    async def work(scene: JournalScene) -> None:
        lines = scene.text.splitlines(keepends=True)
        lines[2] = line_of(choose(scene), 2)
        scene.text = b"".join(lines)

    return work


_add(Attack.SPLICE, "a-record-of-the-older-stream", splice(lambda scene: scene.older))


@JOURNAL_ATTACKS.variant(Attack.SPLICE)
async def a_record_of_another_stream(scene: JournalScene) -> None:
    foreign = await scene.journal_of_another_stream()
    await splice(lambda _: foreign)(scene)


@JOURNAL_ATTACKS.variant(Attack.SPLICE)
async def the_journal_of_another_stream(scene: JournalScene) -> None:
    scene.text = await scene.journal_of_another_stream()


@JOURNAL_ATTACKS.variant(Attack.SPLICE)
async def records_of_the_older_stream(scene: JournalScene) -> None:
    """Its chunks are those of the stream that is visible."""
    records = scene.older.splitlines(keepends=True)[1:-1]
    scene.text = text_of(scene.lines[:1]) + b"".join(records)


_add(Attack.ROLL_BACK, "to-fewer-records", edit_lines(lambda lines: lines.pop()))
_add(Attack.ROLL_BACK, "to-the-run-of-the-older-stream", replace_by(lambda scene: scene.older))
_add(
    Attack.ROLL_BACK,
    "to-that-run-before-its-manifest",
    replace_by(lambda scene: b"".join(scene.older.splitlines(keepends=True)[:-1])),
)


@JOURNAL_ATTACKS.variant(Attack.RESEAL)
async def the_journal_of_another_key(scene: JournalScene) -> None:
    scene.text = await scene.journal_of_another_key()


@JOURNAL_ATTACKS.variant(Attack.RESEAL)
async def the_journal_of_another_key_under_this_header(scene: JournalScene) -> None:
    """Its chunks are not in this bucket."""
    records = (await scene.journal_of_another_key()).splitlines(keepends=True)[1:]
    scene.text = text_of(scene.lines[:1]) + b"".join(records)


def forget_seals(lines: list[Line]) -> None:
    for line in lines[1:]:
        line.pop("encrypted_size", None)
        line.pop("encrypted_sha256", None)


_add(Attack.DOWNGRADE, "records-without-seals", edit_lines(forget_seals))
_add(
    Attack.DOWNGRADE,
    "records-without-digests-of-seals",
    edit_lines(lambda lines: [line.pop("encrypted_sha256") for line in lines[1:]]),
)
_add(Attack.DOWNGRADE, "to-plain-keys", edit_lines(lambda lines: lines[0].update(generation="")))
_add(
    Attack.DOWNGRADE,
    "to-no-encryption",
    edit_lines(lambda lines: lines[0].update(encryption_method=None, key_id="", encrypted_manifest=False)),
)
_add(Attack.DOWNGRADE, "version-of-tomorrow", edit_lines(lambda lines: lines[0].update(s3duct_journal=2)))
_add(Attack.DOWNGRADE, "version-zero", edit_lines(lambda lines: lines[0].update(s3duct_journal=0)))
