"""Resume: from the records of an unfinished run to what has to happen next.

The journal binds itself to its run (`RunBinding`), then holds one record a stored chunk, in any order. The fold checks
them; `ResumePlan` judges each chunk of the new input against them.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from enum import Enum, auto

from s3duct.domain.chain import ChainLink
from s3duct.domain.chunk import ChunkRecord, spare_generation
from s3duct.domain.digest import DualDigest
from s3duct.domain.encryption import EncryptionMethod
from s3duct.domain.errors import InputDiverged, InputTooShort, JournalDamaged, JournalMismatch
from s3duct.domain.sizes import format_size
from s3duct.domain.strays import ChunkRange

RESTART_HINT = "use --no-resume to leave the stored part aside and start over"


@dataclass(frozen=True, slots=True)
class RunBinding:
    """What a run is bound to: a journal is continued only by a run with the same values.

    `destination` names the store (endpoint and bucket, or folder). `key_id` tells keys apart without revealing them; it is
    empty for plain streams.
    """

    destination: str
    prefix: str
    name: str
    chunk_size_bytes: int
    method: EncryptionMethod
    key_id: str = ""
    sealed_manifest: bool = False
    storage_class: str = ""


@dataclass(frozen=True, slots=True)
class EarlierRun:
    """A run whose stored chunks another one carries on: they stay under the keys of its generation."""

    run_id: str
    generation: str


@dataclass(frozen=True, slots=True)
class JournalHeader:
    """First line of a journal: the binding, the run's identity, and where its chunks go.

    `generation` is empty (plain keys) or 8 hex digits (see `chunk.chunk_key`); `created` is ISO 8601 in UTC. `earlier` are
    the runs that this one took over, the oldest first. `replaces` are the chunks that are superfluous once this run's
    manifest is visible, but for those that it names. `over` is the SHA-256 (hex) of the manifest that was visible when the
    run began, empty if there was none, None if that is not known.
    """

    binding: RunBinding
    run_id: str
    generation: str
    created: str
    earlier: tuple[EarlierRun, ...] = ()
    replaces: tuple[ChunkRange, ...] = ()
    over: str | None = None

    @property
    def generations(self) -> frozenset[str]:
        """Generations of every key that this run, or one that it took over, may ever write: the spare ones included."""
        runs = (EarlierRun(self.run_id, self.generation), *self.earlier)
        return frozenset(
            generation for run in runs for generation in (run.generation, spare_generation(run.run_id))
        )

    @property
    def run_ids(self) -> frozenset[str]:
        """This run and those that it took over."""
        return frozenset((self.run_id, *(run.run_id for run in self.earlier)))

    def carries(self, run_id: str) -> bool:
        """Whether this is that run, or took it over."""
        return run_id in self.run_ids


@dataclass(frozen=True, slots=True)
class ResumeRecord:
    """One stored chunk of an unfinished run with its own chain link, and when it was stored (ISO 8601, UTC)."""

    chunk: ChunkRecord
    link: ChainLink
    stored_at: str


@dataclass(frozen=True, slots=True)
class ManifestRecord:
    """A manifest object that the run was about to write: the SHA-256 (hex) of it.

    A run that was cut off right after knows its own manifest by that, even one that it cannot open.
    """

    sha256: str


@dataclass(frozen=True, slots=True)
class Journal:
    """A journal as read: the header, every whole record in the order of writing, and digests of manifests (hex)."""

    header: JournalHeader
    records: tuple[ResumeRecord, ...] = ()
    manifests: frozenset[str] = frozenset()


class ResumeFrom(Enum):
    """Which copy of a journal a put continues from. AUTO: the one there is, or both if they are of the same run."""

    AUTO = "auto"
    LOCAL = "local"
    BUCKET = "bucket"


class OnDivergence(Enum):
    """What to do when the input turns out to be another one than what is stored.

    FAIL: change nothing. RESTART: go on with this input; what is stored of the other one goes once this one is whole.
    KEEP_PARTIAL: the same, but that stays in the bucket.
    """

    FAIL = "fail"
    RESTART = "restart"
    KEEP_PARTIAL = "keep-partial"


def merge_records(first: Iterable[ResumeRecord], second: Iterable[ResumeRecord]) -> tuple[ResumeRecord, ...]:
    """Return the records of two copies of one journal: those of `first`, then what only `second` has."""
    return tuple(dict.fromkeys((*first, *second)))


class Verdict(Enum):
    """What to do with a chunk of the input."""

    STORED = auto()
    UPLOAD = auto()


_SETTING_NAMES = {
    "destination": "destination",
    "prefix": "prefix",
    "name": "stream name",
    "chunk_size_bytes": "chunk size",
    "method": "encryption method",
    "key_id": "key or recipients",
    "sealed_manifest": "manifest encryption",
    "storage_class": "storage class",
}


def check_binding(header: JournalHeader, wanted: RunBinding) -> None:
    """Check that a run with `wanted` may continue the journal under `header`.

    Raises:
        JournalMismatch: it may not; the message names every setting that differs. A retry cannot help.
    """
    differing = [
        field.name
        for field in fields(RunBinding)
        if getattr(header.binding, field.name) != getattr(wanted, field.name)
    ]
    if differing:
        details = "; ".join(_describe(name, header.binding, wanted) for name in differing)
        raise JournalMismatch(
            f"an unfinished put of {wanted.name!r} was started with another {details}",
            hint=f"repeat the put as it was started, or {RESTART_HINT}",
        )


def _describe(name: str, started: RunBinding, wanted: RunBinding) -> str:
    label = _SETTING_NAMES[name]
    if name == "key_id":
        return label
    before, now = getattr(started, name), getattr(wanted, name)
    if name == "chunk_size_bytes":
        told = format_size(before), format_size(now)
        if told[0] == told[1]:
            told = f"{before} bytes", str(now)
        return f"{label} ({told[0]}, now {told[1]})"
    if isinstance(before, EncryptionMethod):
        return f"{label} ({before.value or 'none'}, now {now.value or 'none'})"
    if isinstance(before, bool):
        return f"{label} ({_switch(before)}, now {_switch(now)})"
    return f"{label} ({before!r}, now {now!r})"


def _switch(on: bool) -> str:
    return "on" if on else "off"


class ResumePlan:
    """What is stored already, and the judgement over each chunk of the input."""

    def __init__(
        self, records: Iterable[ResumeRecord], *, finished: bool = False, may_differ: bool = False
    ) -> None:
        """Fold records, in the order of writing; a later record of an index replaces an earlier one.

        Args:
            records: of the journal.
            finished: the run had already written its manifest: the input must be exactly what is stored.
            may_differ: they are of a stream that is to be replaced: what is the same in the input need not be stored again.

        Raises:
            JournalDamaged: neighbouring records contradict the chain.
        """
        self._finished = finished
        self._may_differ = may_differ
        self._records = {record.chunk.index: record for record in records}
        self._indices = sorted(self._records)
        for index, record in self._records.items():
            before = self._records.get(index - 1)
            if index == 0 or before is not None:
                link = (before.link if before is not None else ChainLink()).extend(record.chunk.digest)
                if link != record.link:
                    raise JournalDamaged(
                        f"the journal's records of chunks {index - 1} and {index} contradict each other",
                        hint=RESTART_HINT,
                    )
        self.stored_chunks = len(self._records)
        self.stored_bytes = sum(record.chunk.size_bytes for record in self._records.values())

    @property
    def records(self) -> Mapping[int, ResumeRecord]:
        """Records by chunk index."""
        return self._records

    @property
    def may_differ(self) -> bool:
        """Whether another input than the recorded one is fine: the records are then no part of this run's journal."""
        return self._may_differ

    @property
    def last_index(self) -> int:
        """Index of the last stored chunk, -1 if there is none."""
        return self._indices[-1] if self._indices else -1

    @property
    def keys(self) -> frozenset[str]:
        """Relative keys of everything the run has on record."""
        return frozenset(record.chunk.key for record in self._records.values())

    def records_before(self, index: int) -> tuple[ResumeRecord, ...]:
        """Records of the chunks in front of chunk `index`."""
        return tuple(self._records[before] for before in self._indices[: bisect_left(self._indices, index)])

    def give_up_from(self, index: int) -> frozenset[str]:
        """Forget the records from chunk `index` on: the input is another one from there. Return the keys they name."""
        position = bisect_left(self._indices, index)
        given_up = [self._records.pop(behind) for behind in self._indices[position:]]
        del self._indices[position:]
        return frozenset(record.chunk.key for record in given_up)

    def may_be_new(self, index: int) -> bool:
        """Whether chunk `index` is not stored and may be uploaded before it is judged."""
        return index not in self._records and not self._finished

    def next_stored(self, index: int) -> int:
        """Index of the first stored chunk behind chunk `index`, -1 if there is none."""
        position = bisect_right(self._indices, index)
        return self._indices[position] if position < len(self._indices) else -1

    def judge(
        self, index: int, *, size_bytes: int, digest: DualDigest, link: ChainLink, strict: bool
    ) -> Verdict:
        """Decide over chunk `index` of the input, hashed to `digest`, with its chain `link`.

        A chunk that ends the input early (it is smaller than the stored one) is `InputTooShort` if `strict`, else uploaded.
        Where the input `may_differ`, nothing is raised: what differs is uploaded.

        Raises:
            InputDiverged: its content differs from the stored chunk.
            InputTooShort: the input ended inside the stored part and `strict` is on.
        """
        record = self._records.get(index)
        if record is None:
            if self._finished:
                raise _diverged(index)
            return (
                Verdict.UPLOAD
            )  # in a gap, what is wrong with it shows in the link of the stored chunk behind it
        is_same = (size_bytes, digest, link) == (record.chunk.size_bytes, record.chunk.digest, record.link)
        if self._may_differ:
            return Verdict.STORED if is_same else Verdict.UPLOAD
        if size_bytes < record.chunk.size_bytes:
            if strict or self._finished:
                raise self._too_short(f"within chunk {index}")
            return Verdict.UPLOAD
        if not is_same:
            raise _diverged(index)
        return Verdict.STORED

    def judge_end(self, chunk_count: int, *, strict: bool) -> None:
        """Decide at the end of an input of `chunk_count` chunks.

        Raises:
            InputTooShort: there are stored chunks behind its end and `strict` is on.
        """
        if self.last_index >= chunk_count and (strict or self._finished) and not self._may_differ:
            raise self._too_short(f"after {chunk_count} chunks")

    def _too_short(self, where: str) -> InputTooShort:
        return InputTooShort(
            f"the input ended {where}, before all of the stored part was seen again "
            f"({self.stored_chunks} chunks, {format_size(self.stored_bytes)})",
            hint="was the producer cut short? --no-strict-resume accepts the shorter input",
        )


def _diverged(index: int) -> InputDiverged:
    return InputDiverged(
        f"the input differs from the stored part at chunk {index}",
        hint=f"nothing was changed; repeat the put with the same input, or {RESTART_HINT}; "
        "--on-divergence restart goes on with this one",
    )
