"""Attacks on the manifest's object and on what it says."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from s3duct.adapters.plain import PlainCipher
from s3duct.domain.manifest_mac import covered_bytes
from s3duct.domain.ports.cipher import Cipher
from tests.tamper.attacks import Attack, Catalogue, Target
from tests.tamper.chunk_attacks import flipped
from tests.tamper.scene import FORGED, Document, Scene, describe, relinked

MANIFEST_ATTACKS: Catalogue[Scene] = Catalogue(Target.MANIFEST)
Work = Callable[[Scene], Awaitable[None]]


def rewrite(change: Callable[[bytes], bytes]) -> Work:
    """Change the object, whatever is in it."""

    async def work(scene: Scene) -> None:
        await scene.write(scene.manifest_key, change(await scene.read(scene.manifest_key)))

    return work


def edit(change: Callable[[Document], object], *, relink: bool = False) -> Work:
    """Change what it says."""

    async def work(scene: Scene) -> None:
        document = scene.draft()
        change(document)
        await scene.publish(relinked(document) if relink else document)

    return work


def edit_text(change: Callable[[Document], object]) -> Work:
    """Change what it says, and leave it unsealed."""

    async def work(scene: Scene) -> None:
        document = scene.draft()
        change(document)
        await scene.publish_as_text(document)

    return work


def exchange(document: Document, field: str) -> None:
    one, two = document["chunks"][1:3]
    one[field], two[field] = two[field], one[field]


def reverse(document: Document) -> None:
    document["chunks"].reverse()


def reverse_and_renumber(document: Document) -> None:
    final = document["final_chain"]
    reverse(document)
    relinked(document)["final_chain"] = final


def set_in_record(field: str, change: Callable[[str], str]) -> Callable[[Document], None]:
    def work(document: Document) -> None:
        record = document["chunks"][2]
        record[field] = change(record[field])

    return work


def another_digit(text: str) -> str:
    return ("1" if text[0] == "0" else "0") + text[1:]


_add = MANIFEST_ATTACKS.add

_add(Attack.FLIP, "first-byte", rewrite(lambda body: flipped(body, 0)))
_add(Attack.FLIP, "a-byte-within", rewrite(lambda body: flipped(body, len(body) // 2)))
_add(Attack.FLIP, "last-byte", rewrite(lambda body: flipped(body, -1)))
_add(Attack.FLIP, "in-a-digest", edit(set_in_record("sha256", another_digit)))
_add(
    Attack.FLIP,
    "in-a-chunk-key",
    edit(set_in_record("s3_key", lambda key: key.replace("chunk-0", "chunk-1"))),
)
_add(Attack.FLIP, "in-the-description", edit(lambda document: document.update(description="!")))
_add(Attack.FLIP, "in-a-size", edit(lambda document: document["chunks"][2].update(size=1023)))

_add(
    Attack.FLIP,
    "in-a-size-relinked",
    edit(lambda document: document["chunks"][2].update(size=1023), relink=True),
)
_add(
    Attack.FLIP,
    "in-the-second-digest-relinked",
    edit(set_in_record("sha3_256", another_digit), relink=True),
)

_add(Attack.TRUNCATE, "by-a-byte", rewrite(lambda body: body[:-1]))
_add(Attack.TRUNCATE, "to-half", rewrite(lambda body: body[: len(body) // 2]))
_add(Attack.TRUNCATE, "to-less-than-any-seal", rewrite(lambda body: body[:27]))
_add(Attack.TRUNCATE, "to-nothing", rewrite(lambda _: b""))

_add(Attack.EXTEND, "by-a-zero-byte", rewrite(lambda body: body + b"\0"))
_add(Attack.EXTEND, "by-white-space", rewrite(lambda body: body + b" \n"))
_add(Attack.EXTEND, "by-itself", rewrite(lambda body: body + body))

_add(Attack.SWAP, "order-of-records-relinked", edit(reverse, relink=True))
_add(Attack.SWAP, "order-of-records-renumbered", edit(reverse_and_renumber))
_add(Attack.SWAP, "order-of-records", edit(reverse))
_add(Attack.SWAP, "keys-of-records", edit(lambda document: exchange(document, "s3_key")))


@MANIFEST_ATTACKS.variant(Attack.SWAP)
async def with_another_stream(scene: Scene) -> None:
    await scene.write(scene.manifest_key, await scene.read(scene.foreign_manifest_key))


@MANIFEST_ATTACKS.variant(Attack.DROP)
async def the_manifest(scene: Scene) -> None:
    await scene.world.delete(scene.manifest_key)


_add(Attack.DROP, "first-record", edit(lambda document: document["chunks"].pop(0), relink=True))
_add(Attack.DROP, "last-record", edit(lambda document: document["chunks"].pop(), relink=True))
_add(Attack.DROP, "last-record-not-relinked", edit(lambda document: document["chunks"].pop()))
_add(Attack.DROP, "all-records", edit(lambda document: document["chunks"].clear(), relink=True))
_add(Attack.DROP, "the-list-of-records", edit(lambda document: document.pop("chunks")))

_add(
    Attack.DUPLICATE,
    "a-record",
    edit(lambda document: document["chunks"].insert(2, dict(document["chunks"][1])), relink=True),
)


@MANIFEST_ATTACKS.variant(Attack.DUPLICATE)
async def a_record_with_its_object(scene: Scene) -> None:
    await insert_record(scene, scene.document["chunks"][1])


@MANIFEST_ATTACKS.variant(Attack.SPLICE)
async def a_record_of_another_stream(scene: Scene) -> None:
    document = scene.draft()
    document["chunks"][2] = dict(scene.foreign["chunks"][2])
    await scene.publish(relinked(document))


@MANIFEST_ATTACKS.variant(Attack.SPLICE)
async def a_record_of_another_stream_with_its_object(scene: Scene) -> None:
    await insert_record(scene, scene.foreign["chunks"][1])


async def insert_record(scene: Scene, record: Document) -> None:
    """Copy the record's object into the stream's folder, and name it there."""
    document = scene.draft()
    key = "stream/copied"
    await scene.write(key, await scene.read(record["s3_key"]))
    document["chunks"].insert(2, {**record, "s3_key": key})
    await scene.publish(relinked(document))


@MANIFEST_ATTACKS.variant(Attack.ROLL_BACK)
async def to_the_older_stream(scene: Scene) -> None:
    for key, body in scene.kept.items():
        await scene.write(key, body)
    await scene.stands_for_older()


# --- re-seal -----------------------------------------------------------------------------------------------------


@MANIFEST_ATTACKS.variant(Attack.RESEAL)
async def for_another_key(scene: Scene) -> None:
    await scene.publish(scene.draft(), sealer=scene.mode.other)


def set_mac(document: Document, cipher: Cipher, key_id: str) -> None:
    document["encrypted_manifest"] = False
    mac = cipher.manifest_mac([covered_bytes(document)])
    assert mac is not None
    document["s3duct"]["mac"] |= {"value": mac.hex(), "key_id": key_id}


@MANIFEST_ATTACKS.variant(Attack.RESEAL)
async def mac_of_another_key(scene: Scene) -> None:
    document = scene.draft()
    set_mac(document, scene.mode.other, scene.mode.other.key_id)
    await scene.publish_as_text(document)


@MANIFEST_ATTACKS.variant(Attack.RESEAL)
async def mac_of_another_key_in_the_name_of_this_one(scene: Scene) -> None:
    document = scene.draft()
    set_mac(document, scene.mode.other, scene.mode.cipher.key_id)
    await scene.publish_as_text(document)


@MANIFEST_ATTACKS.variant(Attack.RESEAL)
async def naming_another_recipient(scene: Scene) -> None:
    document = scene.draft()
    document["encryption_recipient"] = scene.mode.other.recipient
    await scene.publish(document)


@MANIFEST_ATTACKS.variant(Attack.RESEAL)
async def everything_as_well_as_he_can(scene: Scene) -> None:
    """Other content: sealed for the victim where that takes no secret, else under a key of the attacker's own."""
    document = await scene.store_forged_chunks(scene.mode.public or scene.mode.other, FORGED)
    if scene.mode.public is None:
        set_mac(document, scene.mode.other, scene.mode.other.key_id)
    await scene.publish(document)


# --- downgrade ---------------------------------------------------------------------------------------------------


def says_sealed(document: Document, sealed: bool) -> None:
    document["encrypted_manifest"] = sealed


_add(
    Attack.DOWNGRADE, "not-sealed-though-it-says-so", edit_text(lambda document: says_sealed(document, True))
)
_add(Attack.DOWNGRADE, "not-sealed-and-it-says-so", edit_text(lambda document: says_sealed(document, False)))


@MANIFEST_ATTACKS.variant(Attack.DOWNGRADE)
async def sealed_though_it_says_not(scene: Scene) -> None:
    document = scene.draft()
    says_sealed(document, False)
    await scene.publish(document, sealer=scene.mode.public)


def without_mac(document: Document) -> None:
    says_sealed(document, False)
    del document["s3duct"]["mac"]


def with_unknown_mac(document: Document) -> None:
    says_sealed(document, False)
    document["s3duct"]["mac"]["alg"] = "none"


def with_broken_mac(document: Document) -> None:
    says_sealed(document, False)
    document["s3duct"]["mac"]["value"] = ""


_add(Attack.DOWNGRADE, "without-mac", edit_text(without_mac))
_add(Attack.DOWNGRADE, "mac-by-an-unknown-algorithm", edit_text(with_unknown_mac))
_add(Attack.DOWNGRADE, "mac-that-is-none", edit_text(with_broken_mac))


def as_plain(document: Document) -> None:
    """Say that nothing is encrypted."""
    document |= {
        "encrypted": False,
        "encryption_method": None,
        "encryption_recipient": None,
        "encrypted_manifest": False,
    }


@MANIFEST_ATTACKS.variant(Attack.DOWNGRADE)
async def to_a_plain_stream(scene: Scene) -> None:
    document = await scene.store_forged_chunks(PlainCipher())
    as_plain(document)
    await scene.publish_as_text(document)


@MANIFEST_ATTACKS.variant(Attack.DOWNGRADE)
async def to_a_plain_stream_of_the_sealed_bytes(scene: Scene) -> None:
    document = scene.draft()
    as_plain(document)
    document["chunk_size"] *= 4
    for record in document["chunks"]:
        body = await scene.read(record["s3_key"])
        scene.know(body)
        record.update(describe(body))
    await scene.publish_as_text(relinked(document))


@MANIFEST_ATTACKS.variant(Attack.DOWNGRADE)
async def without_the_digests_of_sealed_bytes(scene: Scene) -> None:
    """As s3duct 0.3.0 writes records; then one chunk is changed."""
    document = scene.draft()
    for record in document["chunks"]:
        del record["encrypted_sha256"]
    await scene.publish(document)
    await scene.write(scene.keys[2], flipped(await scene.read(scene.keys[2]), -1))
    scene.raw_pieces[2] = await scene.read(scene.keys[2])


def rename_method(document: Document) -> None:
    method = document["encryption_method"]
    document |= {"encrypted": True, "encryption_method": "aes-256-gcm" if method != "aes-256-gcm" else "age"}


def rename_method_and_reorder(document: Document) -> None:
    rename_method(document)
    reverse(document)


_add(Attack.DOWNGRADE, "method-renamed", edit(rename_method))
_add(Attack.DOWNGRADE, "method-renamed-and-reordered", edit(rename_method_and_reorder, relink=True))
_add(Attack.DOWNGRADE, "method-unknown", edit(lambda document: document.update(encryption_method="rot13")))
_add(
    Attack.DOWNGRADE,
    "encrypted-contradicts-the-method",
    edit(lambda document: document.update(encrypted=not document["encrypted"])),
)
_add(Attack.DOWNGRADE, "version-of-tomorrow", edit(lambda document: document.update(version=2)))
_add(Attack.DOWNGRADE, "version-zero", edit(lambda document: document.update(version=0)))
