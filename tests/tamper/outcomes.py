"""What may come of a cell of the matrix."""

from __future__ import annotations

from dataclasses import dataclass

from s3duct.domain.errors import (
    ChunkDamaged,
    ChunkMissing,
    DowngradeRefused,
    InputDiverged,
    InputTooShort,
    IntegrityError,
    JournalDamaged,
    JournalMismatch,
    JournalTooNew,
    KeyRequired,
    ManifestAltered,
    ManifestInvalid,
    ManifestUnauthenticated,
    ManifestUnexpected,
    RunInProgress,
    S3ductError,
    StreamNotFound,
    UnsupportedFormat,
    WrongKey,
)

EXIT_CODES: dict[type[S3ductError], int] = {
    ChunkDamaged: 3,
    ChunkMissing: 3,
    DowngradeRefused: 3,
    IntegrityError: 3,
    ManifestAltered: 3,
    ManifestInvalid: 3,
    ManifestUnauthenticated: 3,
    ManifestUnexpected: 3,
    KeyRequired: 4,
    WrongKey: 4,
    StreamNotFound: 5,
    InputDiverged: 7,
    InputTooShort: 7,
    JournalDamaged: 7,
    JournalMismatch: 7,
    JournalTooNew: 13,
    UnsupportedFormat: 13,
    RunInProgress: 14,
}


@dataclass(frozen=True)
class Harmless:
    """The genuine content, all of it: why that is so."""

    reason: str


@dataclass(frozen=True)
class Undetected:
    """What the attacker wants to be read is read: why nothing can tell, by design."""

    reason: str


@dataclass(frozen=True)
class Broken:
    """The manifest is believed, its chunks `victims` are not what it says: whole chunks before the first are given out.

    `same_size`: only the content of their objects is wrong. `inside_alone`: their objects are as the manifest says, or it
    does not say enough of them; only opening them shows it.
    """

    error: type[S3ductError]
    victims: tuple[int, ...]
    same_size: bool = True
    inside_alone: bool = False


Content = Harmless | Undetected | Broken


@dataclass(frozen=True)
class Refused:
    """Nothing is given out. `hint` is what the hint has to name.

    `flag` accepts it all the same; `then` is what comes of it, and of reading it without the key.
    """

    errors: tuple[type[S3ductError], ...]
    hint: str = ""
    flag: str = ""
    then: Content | None = None


@dataclass(frozen=True)
class Inapplicable:
    """There is no such cell, and why."""

    reason: str


Outcome = Content | Refused | Inapplicable


@dataclass(frozen=True)
class Spoils:
    """The put ends well, but the stream is not whole: why nothing can tell by then. `error` is what get says later."""

    reason: str
    error: type[S3ductError]


@dataclass(frozen=True)
class Ends:
    """The put ends well: `resumed` chunks were not sent again, and the stream is whole in every respect."""

    resumed: int
