"""Attacks on what an unfinished run has in the bucket: its journal, the claim, and the objects beside them.

All that can be done to the text of a local journal is done to this one as well (`journal_attacks.py`), and then what only
one who owns the bucket can do.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable

from s3duct.domain.claim import MAX_CLAIM_BYTES
from s3duct.domain.journal_codec import checked_line
from s3duct.domain.sizes import MIB
from tests.tamper.attacks import Attack, Catalogue, Target
from tests.tamper.bucket_journal_scene import BucketJournalScene, pieces
from tests.tamper.journal_attacks import JOURNAL_ATTACKS, next_record
from tests.tamper.journal_scene import text_of

BUCKET_JOURNAL_ATTACKS: Catalogue[BucketJournalScene] = Catalogue(Target.BUCKET_JOURNAL)
_add = BUCKET_JOURNAL_ATTACKS.add
Work = Callable[[BucketJournalScene], Awaitable[None]]

NO_COPY_NAMES_IT = "destination-of-the-header"
for _variant in JOURNAL_ATTACKS.variants:
    if _variant.name != NO_COPY_NAMES_IT:
        _add(_variant.attack, _variant.name, _variant.work)


def claim(forge: Callable[[BucketJournalScene], bytes]) -> Work:
    """Put something in place of the claim."""

    async def work(scene: BucketJournalScene) -> None:
        scene.claim = forge(scene)

    return work


def objects(forge: Callable[[BucketJournalScene], dict[str, bytes]]) -> Work:
    """Write objects, in place of others or beside them; an empty body takes one away."""

    async def work(scene: BucketJournalScene) -> None:
        scene.objects.update(forge(scene))

    return work


def without_segment(number: int) -> Work:
    """Take one away."""
    return objects(lambda scene: {scene.segment_key(number): b""})


def segments(order: list[int]) -> Work:
    """Lay the segments out in another order."""

    async def work(scene: BucketJournalScene) -> None:
        sealed = [scene.seal(piece) for piece in pieces(scene.text)]
        scene.objects.update({scene.segment_key(place): sealed[number] for place, number in enumerate(order)})

    return work


_add(Attack.FLIP, "claim-by-a-bit", claim(lambda scene: scene.claim.replace(b"0", b"1", 1)))
_add(Attack.FLIP, "claim-to-control-characters", claim(lambda scene: scene.claim_of("\x1b[2J\n" + "0" * 24)))
_add(Attack.FLIP, "claim-to-a-path", claim(lambda scene: scene.claim_of("../../streamx/aaaaaaaa")))
_add(
    Attack.FLIP,
    "claim-to-a-number",
    claim(lambda _: checked_line({"s3duct_claim": 1, "run_id": 10**3900, "owner": ""})),
)
_add(
    Attack.FLIP,
    "claim-to-a-very-long-run-id",
    claim(lambda scene: scene.claim_of("a" * (MAX_CLAIM_BYTES - 200))),
)
_add(Attack.FLIP, "claim-to-nested-lists", claim(lambda _: b"[" * MAX_CLAIM_BYTES))
_add(Attack.FLIP, "a-sealed-segment", objects(lambda scene: {scene.segment_key(1): _flipped(scene)}))
_add(Attack.TRUNCATE, "claim", claim(lambda scene: scene.claim[:-9]))
_add(Attack.TRUNCATE, "claim-to-nothing", claim(lambda _: b""))
_add(Attack.EXTEND, "claim-to-a-mebibyte", claim(lambda scene: scene.claim + b" " * MIB))
_add(
    Attack.EXTEND, "segment-to-four-mebibytes", objects(lambda scene: {scene.segment_key(1): b" " * 4 * MIB})
)
_add(Attack.EXTEND, "by-a-segment-of-garbage", objects(lambda scene: {scene.segment_key(3): b"garbage\n"}))
_add(
    Attack.EXTEND,
    "by-a-segment-far-away",
    objects(lambda scene: {scene.segment_key(10**300): pieces(scene.text)[1]}),
)
_add(
    Attack.EXTEND,
    "by-two-thousand-objects",
    objects(
        lambda scene: {f"{scene.location.resume_folder}{number:08x}/now": b"\n" for number in range(2000)}
    ),
)
_add(
    Attack.EXTEND,
    "by-objects-that-are-no-journal",
    objects(
        lambda scene: {
            f"{scene.location.resume_folder}{name}": b"x"
            for name in ("chunk-000000", "x/y", "aaaaaaaa/later")
        }
    ),
)
_add(
    Attack.EXTEND,
    "by-a-sign-that-the-run-has-stopped",
    objects(lambda scene: {scene.location.released_key(scene.run_id): scene.claim}),
)
_add(
    Attack.EXTEND,
    "by-such-a-sign-of-a-mebibyte",
    objects(lambda scene: {scene.location.released_key(scene.run_id): b"x" * MIB}),
)


@BUCKET_JOURNAL_ATTACKS.variant(Attack.EXTEND)
async def by_a_record_of_a_chunk_with_other_content(scene: BucketJournalScene) -> None:
    """Of the right size, under a key of this very run."""
    lines = scene.lines
    record = next_record(lines, lines[3]["s3_key"].replace("000002", "000003"))
    scene.text = text_of([*lines, record])
    scene.objects[scene.location.full_key(record["s3_key"])] = await scene.world.read(
        scene.location.full_key(lines[1]["s3_key"])
    )


@BUCKET_JOURNAL_ATTACKS.variant(Attack.EXTEND)
async def by_a_record_that_names_a_chunk_of_the_older_stream_as_an_earlier_run(
    scene: BucketJournalScene,
) -> None:
    lines = scene.lines
    lines[0]["earlier"] = [{"run_id": "a" * 32, "generation": ""}]
    scene.lines = [*lines, next_record(lines, "stream/chunk-000003")]


@BUCKET_JOURNAL_ATTACKS.variant(Attack.EXTEND)
async def by_a_record_that_names_a_chunk_of_a_neighbour(scene: BucketJournalScene) -> None:
    lines = scene.lines
    scene.lines = [*lines, next_record(lines, "stream/below/chunk-000003")]


_add(Attack.SWAP, "segments", segments([0, 2, 1]))
_add(Attack.SWAP, "first-segments", segments([1, 0, 2]))
_add(Attack.DROP, "claim", objects(lambda scene: {scene.location.claim_key: b""}))
for _number, _name in enumerate(["first", "middle", "last"]):
    _add(Attack.DROP, f"{_name}-segment", without_segment(_number))
_add(Attack.DUPLICATE, "a-segment", segments([0, 1, 2, 2]))
_add(Attack.DUPLICATE, "first-segment", segments([0, 1, 2, 0]))


async def lay_out_beside(scene: BucketJournalScene, text: bytes, run_id: str) -> None:
    """Another run's journal, where it would lie."""
    for number, piece in enumerate(pieces(text)):
        scene.objects[scene.location.segment_key(run_id, number)] = scene.seal(piece)
    scene.claim = scene.claim_of(run_id)


def _run_id(text: bytes) -> str:
    return str(json.loads(text.splitlines()[0])["run_id"])


@BUCKET_JOURNAL_ATTACKS.variant(Attack.SPLICE)
async def claim_and_journal_of_another_stream(scene: BucketJournalScene) -> None:
    text = await scene.journal_of_another_stream()
    await lay_out_beside(scene, text, _run_id(text))


@BUCKET_JOURNAL_ATTACKS.variant(Attack.ROLL_BACK)
async def to_claim_and_journal_of_the_older_stream(scene: BucketJournalScene) -> None:
    await lay_out_beside(scene, scene.older, _run_id(scene.older))


@BUCKET_JOURNAL_ATTACKS.variant(Attack.ROLL_BACK)
async def to_claim_and_journal_of_the_older_stream_before_its_manifest(scene: BucketJournalScene) -> None:
    text = b"".join(scene.older.splitlines(keepends=True)[:-1])
    await lay_out_beside(scene, text, _run_id(text))


@BUCKET_JOURNAL_ATTACKS.variant(Attack.RESEAL)
async def claim_and_journal_of_another_key(scene: BucketJournalScene) -> None:
    text = await scene.journal_of_another_key()
    await lay_out_beside(scene, text, _run_id(text))


@BUCKET_JOURNAL_ATTACKS.variant(Attack.RESEAL)
async def a_forged_run_that_took_this_one_over(scene: BucketJournalScene) -> None:
    """It carries this run, whose chunks are where they are."""
    header, *records = scene.lines
    earlier = [{"run_id": scene.run_id, "generation": header["generation"]}]
    header = {**header, "run_id": "f" * 32, "generation": "f" * 8, "earlier": earlier}
    await lay_out_beside(scene, text_of([header, *records]), "f" * 32)


_add(Attack.DOWNGRADE, "claim-of-tomorrow", claim(lambda scene: scene.claim_of(scene.run_id, s3duct_claim=2)))
_add(
    Attack.DOWNGRADE,
    "one-segment-to-text",
    objects(lambda scene: {scene.segment_key(1): pieces(scene.text)[1]}),
)


def _flipped(scene: BucketJournalScene) -> bytes:
    body = bytearray(scene.seal(pieces(scene.text)[1]))
    body[-20] ^= 1
    return bytes(body)
