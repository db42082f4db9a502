"""Names in the bucket: stream name, prefix, and the keys made of them (format version 1, "Keys")."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from s3duct.domain.errors import UsageError

MANIFEST_FILE = ".manifest.json"
RESUME_FOLDER = ".resume"
_MAX_KEY_BYTES = 1024  # S3: object keys are at most 1,024 bytes of UTF-8
_CONTROL_CATEGORIES = ("Cc", "Cs", "Zl", "Zp")
_DIRECTION_CONTROLS = frozenset("\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_NAME_HINT = "use something like host/data-2026-11-24"
_ROOM_FOR_SUFFIX = 64  # "/gen-XXXXXXXX/chunk-NNNNNN…", "/.resume/(32 digits)/NNNNNN.jsonl" behind the name
_RESUME_KEY = re.compile(r"(?:claim\.json|[0-9a-f]{8,64}/(?:[0-9]{6,}\.jsonl|now|released))")
_SEGMENT = re.compile(r"([0-9a-f]{8,64})/([0-9]{6,})\.jsonl")


def check_stream_name(name: str) -> str:
    """Return `name` if it can name a stream.

    Raises:
        UsageError: empty, leading or trailing `/`, `//`, `.` or `..` segments, control characters, or too long.
    """
    if not name:
        raise UsageError("the stream name is empty", hint=_NAME_HINT)
    _check_path(name, what="stream name")
    return name


def normalize_prefix(prefix: str) -> str:
    """Return the key prefix `P`: empty, or the text with its trailing slashes replaced by exactly one.

    Raises:
        UsageError: the prefix holds segments that no key may hold.
    """
    stripped = prefix.rstrip("/")
    if not stripped:
        if prefix:
            raise UsageError(f"the prefix {prefix!r} has no text before its slashes", hint=_NAME_HINT)
        return ""
    _check_path(stripped, what="prefix")
    return stripped + "/"


def _check_path(path: str, *, what: str) -> None:
    if path.startswith("/") or path.endswith("/"):
        raise UsageError(f"the {what} {path!r} starts or ends with '/'", hint=_NAME_HINT)
    if any(segment in ("", ".", "..") for segment in path.split("/")):
        raise UsageError(f"the {what} {path!r} holds an empty, '.' or '..' segment", hint=_NAME_HINT)
    if has_control_characters(path):
        raise UsageError(f"the {what} {path!r} holds control characters", hint=_NAME_HINT)
    try:
        length = len(path.encode("utf-8"))
    except UnicodeEncodeError:
        raise UsageError(f"the {what} {path!r} is not valid text", hint=_NAME_HINT) from None
    if length > _MAX_KEY_BYTES - _ROOM_FOR_SUFFIX:
        raise UsageError(
            f"the {what} is too long ({length} bytes)",
            hint=f"keys hold at most {_MAX_KEY_BYTES} bytes in all",
        )


def has_control_characters(text: str) -> bool:
    """Whether `text` holds what breaks or turns a line of text, or is no text at all.

    Control characters, lone surrogates, line and paragraph separators (Unicode categories Cc, Cs, Zl, Zp), and the controls
    of writing direction (UAX #9), which make a name look like another one.
    """
    if text.isascii():
        return not text.isprintable()  # in ASCII that says the same, and keys are checked by the thousand
    return any(
        unicodedata.category(character) in _CONTROL_CATEGORIES or character in _DIRECTION_CONTROLS
        for character in text
    )


@dataclass(frozen=True, slots=True)
class StreamLocation:
    """Where a stream lives in its bucket.

    `prefix` is normalized (see `normalize_prefix`), `name` is checked (see `check_stream_name`). Keys that go into
    manifests and journals are relative: without the prefix.
    """

    prefix: str
    name: str

    @classmethod
    def parse(cls, *, prefix: str, name: str) -> StreamLocation:
        """Check both texts and build the location. Raises `UsageError`."""
        location = cls(prefix=normalize_prefix(prefix), name=check_stream_name(name))
        _check_path(location.prefix + location.name, what="prefix and stream name")
        return location

    @property
    def manifest_key(self) -> str:
        """Full key of the manifest."""
        return f"{self.prefix}{self.name}/{MANIFEST_FILE}"

    @property
    def folder(self) -> str:
        """Full key prefix under which everything of this stream lies, with its trailing slash."""
        return f"{self.prefix}{self.name}/"

    @property
    def resume_folder(self) -> str:
        """Full key prefix of the bucket's journal of an unfinished run, with its trailing slash."""
        return f"{self.folder}{RESUME_FOLDER}/"

    @property
    def claim_key(self) -> str:
        """Full key of the object that says which run has the name."""
        return f"{self.resume_folder}claim.json"

    def segment_key(self, run_id: str, number: int) -> str:
        """Full key of segment `number` (from 0) of a run's journal."""
        return f"{self.resume_folder}{run_id}/{number:06d}.jsonl"

    def probe_key(self, run_id: str) -> str:
        """Full key of an object that a run writes only to learn what time it is at the store."""
        return f"{self.resume_folder}{run_id}/now"

    def released_key(self, run_id: str) -> str:
        """Full key of an object by which a run that has stopped says that nobody need wait for it."""
        return f"{self.resume_folder}{run_id}/released"

    def segment_of(self, key: str) -> tuple[str, int] | None:
        """Run id and number of a segment's full key, None for other keys."""
        found = _SEGMENT.fullmatch(key.removeprefix(self.resume_folder))
        return (found[1], int(found[2])) if found and key.startswith(self.resume_folder) else None

    def is_resume_key(self, key: str) -> bool:
        """Whether a full key belongs to the bucket's journal of this stream, and to nothing else."""
        return (
            key.startswith(self.resume_folder)
            and _RESUME_KEY.fullmatch(key, len(self.resume_folder)) is not None
        )

    def full_key(self, relative_key: str) -> str:
        """Full key of a relative key as manifests hold it."""
        return self.prefix + relative_key


def lies_in_resume_folder(name: str) -> bool:
    """Whether a stream of that name would lie where another one has its journal."""
    return RESUME_FOLDER in name.split("/")


def stream_name_of_manifest_key(key: str, *, prefix: str) -> str | None:
    """Return the stream name (relative to `prefix`) if `key` is the key of a manifest, else None."""
    suffix = "/" + MANIFEST_FILE
    if not key.startswith(prefix) or not key.endswith(suffix):
        return None
    return key[len(prefix) : -len(suffix)] or None
