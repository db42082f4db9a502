"""What must come of an attack on a manifest, by attack, mode and reader."""

from __future__ import annotations

from s3duct.domain.errors import (
    ChunkDamaged,
    ChunkMissing,
    DowngradeRefused,
    IntegrityError,
    KeyRequired,
    ManifestAltered,
    ManifestInvalid,
    ManifestUnauthenticated,
    ManifestUnexpected,
    StreamNotFound,
    UnsupportedFormat,
    WrongKey,
)
from tests.tamper.modes import Mode
from tests.tamper.outcomes import Broken, Content, Harmless, Inapplicable, Outcome, Refused, Undetected
from tests.tamper.readers import PINNED, STRICT, UNAUTHENTICATED, UNENCRYPTED, Reader
from tests.tamper.scene import CHUNKS, VICTIM, Scene

PLAIN_IS_FREE = Undetected(
    "who can write the bucket can write a plain stream: the chain's first key is public"
)
AGE_IS_FREE = Undetected("anybody can seal for a public recipient: age proves no origin")
OLDER_IS_GENUINE = Undetected("an older manifest was genuine; only a digest noted at put tells")
ASKED_FOR = Undetected("the flag asks for it")
UNPROVEN = Undetected("without the key nothing proves a manifest")
SAME = Harmless("the same records, the same chunks")

INVALID = Refused((ManifestInvalid,))
CHAIN = Refused((IntegrityError,))
UNSUPPORTED = Refused((UnsupportedFormat,))
NOT_FOUND = Refused((StreamNotFound,))


def altered(then: Content) -> Refused:
    """The MAC is wrong."""
    return Refused((ManifestAltered,), hint=UNAUTHENTICATED, flag=UNAUTHENTICATED, then=then)


def unproven(then: Content) -> Refused:
    """There is no MAC."""
    return Refused((ManifestUnauthenticated,), hint=UNAUTHENTICATED, flag=UNAUTHENTICATED, then=then)


def seal_differs(then: Content) -> Refused:
    """It is sealed and says that it is not, or the other way round."""
    return Refused((DowngradeRefused,), hint=UNAUTHENTICATED, flag=UNAUTHENTICATED, then=then)


def of_another_key(then: Content) -> Refused:
    """The key named in it is another one: the hint offers no flag for that."""
    return Refused((WrongKey,), flag=UNAUTHENTICATED, then=then)


def not_encrypted(then: Content) -> Refused:
    """It says that nothing is encrypted."""
    return Refused((DowngradeRefused,), hint=UNENCRYPTED, flag=UNENCRYPTED, then=then)


Row = tuple[Outcome, Outcome, Outcome, Outcome, Outcome]  # plain, aes, aes-sealed, age, age-sealed
COLUMNS = ["plain", "aes", "aes-sealed", "age", "age-sealed"]


def every(outcome: Outcome) -> Row:
    """The same whatever the stream was put with."""
    return (outcome,) * 5


def by_text(text: Outcome, sealed: Outcome) -> Row:
    """One for the manifests that are text, another for the sealed ones."""
    return text, text, sealed, text, sealed


def believed(content: Content, *, plain: Outcome | None = None) -> Row:
    """What only the MAC finds: neither plain streams nor age have one. An AES manifest can only be put back unsealed."""
    return plain or content, altered(content), altered(content), content, content


FORGED: Row = (PLAIN_IS_FREE, altered(ASKED_FOR), altered(ASKED_FOR), AGE_IS_FREE, AGE_IS_FREE)
NO_SEAL = Inapplicable("this manifest is not sealed")
NO_MAC = Inapplicable("only manifests under an AES key have a MAC")
NO_RECIPIENT = Inapplicable("only age names recipients")
NO_KEY = Inapplicable("a plain stream has no key to leave away")
NEEDS_KEY = Inapplicable("sealing under an AES key needs the key")
PLAIN_ALREADY = Inapplicable("the stream is plain already")
KEYS_SWAPPED = Broken(ChunkDamaged, (1, 2))
GONE = Broken(ChunkMissing, (VICTIM,))
CHANGED_INSIDE = Broken(ChunkDamaged, (VICTIM,), inside_alone=True)
CHANGED = Broken(ChunkDamaged, (VICTIM,))
TOO_LONG = Broken(ChunkDamaged, (VICTIM,), same_size=False)
ALL_OF_ANOTHER_KEY = Broken(WrongKey, tuple(range(CHUNKS)), inside_alone=True)
ALL_TOO_SHORT = Broken(ChunkDamaged, tuple(range(CHUNKS)), same_size=False)
RENAMED_TO_AGE = Refused((KeyRequired,), hint="--age-identity", then=SAME)
RENAMED_TO_AES = Refused((KeyRequired,), hint="--key", then=SAME)

TABLE: dict[str, Row] = {
    "flip:first-byte": (INVALID, INVALID, Refused((WrongKey,)), INVALID, INVALID),
    "flip:a-byte-within": by_text(Inapplicable("which field that hits is left to the others"), INVALID),
    "flip:last-byte": every(INVALID),
    "flip:in-a-digest": every(CHAIN),
    "flip:in-a-chunk-key": believed(GONE),
    "flip:in-the-description": believed(SAME),
    "flip:in-a-size": every(INVALID),
    "flip:in-a-size-relinked": believed(CHANGED_INSIDE, plain=TOO_LONG),
    "flip:in-the-second-digest-relinked": believed(CHANGED_INSIDE, plain=CHANGED),
    "truncate:by-a-byte": every(INVALID),
    "truncate:to-half": every(INVALID),
    "truncate:to-less-than-any-seal": every(INVALID),
    "truncate:to-nothing": every(INVALID),
    "extend:by-a-zero-byte": every(INVALID),
    "extend:by-white-space": by_text(SAME, INVALID),
    "extend:by-itself": (INVALID, INVALID, Refused((WrongKey,)), INVALID, INVALID),  # no text once opened
    "swap:order-of-records-relinked": FORGED,
    "swap:order-of-records-renumbered": every(CHAIN),
    "swap:order-of-records": every(INVALID),
    "swap:keys-of-records": believed(KEYS_SWAPPED),
    "swap:with-another-stream": every(INVALID),
    "drop:the-manifest": every(NOT_FOUND),
    "drop:first-record": FORGED,
    "drop:last-record": FORGED,
    "drop:last-record-not-relinked": every(INVALID),
    "drop:all-records": FORGED,
    "drop:the-list-of-records": every(INVALID),
    "duplicate:a-record": every(INVALID),
    "duplicate:a-record-with-its-object": FORGED,
    "splice:a-record-of-another-stream": every(INVALID),
    "splice:a-record-of-another-stream-with-its-object": FORGED,
    "roll-back:to-the-older-stream": every(OLDER_IS_GENUINE),
    "re-seal:for-another-key": (Refused((KeyRequired,), hint="--key"), *(Refused((WrongKey,)),) * 4),
    "re-seal:mac-of-another-key": (NO_MAC, of_another_key(SAME), of_another_key(SAME), NO_MAC, NO_MAC),
    "re-seal:mac-of-another-key-in-the-name-of-this-one": (
        NO_MAC,
        altered(SAME),
        altered(SAME),
        NO_MAC,
        NO_MAC,
    ),
    "re-seal:naming-another-recipient": (
        *(NO_RECIPIENT,) * 3,
        of_another_key(SAME),
        of_another_key(SAME),
    ),
    "re-seal:everything-as-well-as-he-can": (
        PLAIN_IS_FREE,
        of_another_key(ALL_OF_ANOTHER_KEY),
        of_another_key(ALL_OF_ANOTHER_KEY),
        AGE_IS_FREE,
        AGE_IS_FREE,
    ),
    "downgrade:not-sealed-though-it-says-so": (SAME, *(seal_differs(SAME),) * 4),
    "downgrade:not-sealed-and-it-says-so": (NO_SEAL, NO_SEAL, altered(SAME), NO_SEAL, SAME),
    "downgrade:sealed-though-it-says-not": (
        PLAIN_ALREADY,
        NEEDS_KEY,
        NEEDS_KEY,
        seal_differs(SAME),
        seal_differs(SAME),
    ),
    "downgrade:without-mac": (NO_MAC, unproven(SAME), unproven(SAME), NO_MAC, NO_MAC),
    "downgrade:mac-by-an-unknown-algorithm": (NO_MAC, unproven(SAME), unproven(SAME), NO_MAC, NO_MAC),
    "downgrade:mac-that-is-none": (NO_MAC, INVALID, INVALID, NO_MAC, NO_MAC),
    "downgrade:to-a-plain-stream": (PLAIN_ALREADY, *(not_encrypted(ASKED_FOR),) * 4),
    "downgrade:to-a-plain-stream-of-the-sealed-bytes": (PLAIN_ALREADY, *(not_encrypted(ASKED_FOR),) * 4),
    "downgrade:without-the-digests-of-sealed-bytes": believed(CHANGED_INSIDE, plain=PLAIN_ALREADY),
    "downgrade:method-renamed": (
        Refused((KeyRequired,), hint="--key", then=ALL_TOO_SHORT),
        RENAMED_TO_AGE,
        RENAMED_TO_AGE,
        RENAMED_TO_AES,
        RENAMED_TO_AES,
    ),
    "downgrade:method-renamed-and-reordered": (
        Refused((KeyRequired,), hint="--key", then=ALL_TOO_SHORT),
        *(Refused((KeyRequired,), hint="--age-identity", then=UNPROVEN),) * 2,
        *(Refused((KeyRequired,), hint="--key", then=UNPROVEN),) * 2,
    ),
    "downgrade:method-unknown": every(UNSUPPORTED),
    "downgrade:encrypted-contradicts-the-method": every(INVALID),
    "downgrade:version-of-tomorrow": every(UNSUPPORTED),
    "downgrade:version-zero": every(INVALID),
}
BEFORE_TRUST = {ManifestInvalid, IntegrityError, UnsupportedFormat}


def expected_by_get(variant: str, mode: Mode) -> Outcome:
    """What must come of it for a plain get with the key."""
    return TABLE[variant][COLUMNS.index(mode.name.replace("-pq", ""))]


def expected_of_manifest(variant: str, mode: Mode, reader: Reader, scene: Scene) -> Outcome:
    """What must come of it; of the object in place only its form, and what was put into it, are asked."""
    base = expected_by_get(variant, mode)
    if isinstance(base, Inapplicable) or base == NOT_FOUND:
        return base
    if reader.keyless and mode.method == "plain":
        return NO_KEY
    if reader.flag == PINNED:
        return Refused((ManifestUnexpected,))
    keyless = reader.keyless or mode.method == "plain"
    if keyless and scene.lies_sealed:
        return _sealed_without_key(base)
    is_none = isinstance(base, Refused) and set(base.errors) <= BEFORE_TRUST
    if reader.flag == STRICT and not scene.lies_sealed and not is_none:
        return Refused((DowngradeRefused,), hint=STRICT)
    if keyless and not is_none:
        return _without_key(base, reader, scene)
    if isinstance(base, Refused) and reader.flag and reader.flag == base.flag:
        return _then(base)
    return base


def _sealed_without_key(base: Outcome) -> Outcome:
    sound = not isinstance(base, Refused) or base.errors != (ManifestInvalid,)
    return Refused((KeyRequired,) if sound else (KeyRequired, ManifestInvalid))


def _without_key(base: Outcome, reader: Reader, scene: Scene) -> Outcome:
    """Nothing proves anything to a reader without a key; he only checks chunks against what the manifest says."""
    if scene.in_place["encrypted"] and reader.work == "get":
        return Refused((KeyRequired,), hint="--key")
    return _then(base) if isinstance(base, Refused) else base


def _then(base: Refused) -> Content:
    assert base.then is not None, "what comes of it must be said"
    return base.then
