"""Who takes part: this s3duct and the released one, each with every way of sealing that it has."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench import measure
from tests.servers import S3Server
from tests.support.command import COMMAND
from tests.support.released import released_command

RELEASE = "0.4.0"
BASELINE = "ours-plain"


@dataclass(frozen=True, slots=True)
class Contestant:
    """One command with its flags. `rival` is the label of the released command with the same method."""

    label: str
    command: Path
    put_flags: tuple[str, ...]
    get_flags: tuple[str, ...]
    rival: str | None = None


@dataclass(frozen=True, slots=True)
class Field:
    """All who can take part here, and why the others cannot."""

    contestants: tuple[Contestant, ...]
    absent: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Keys:
    """A key of each kind: paths, and the recipients of the identities."""

    aes: Path
    age: Path
    age_recipient: str
    age_pq: Path
    age_pq_recipient: str


def make_keys(folder: Path) -> Keys:
    """Make them with this s3duct."""
    aes, age, age_pq = folder / "aes.key", folder / "age.txt", folder / "age-pq.txt"
    _keygen(folder, "aes", aes)
    return Keys(
        aes=aes,
        age=age,
        age_recipient=_keygen(folder, "age", age),
        age_pq=age_pq,
        age_pq_recipient=_keygen(folder, "age", age_pq, "--pq"),
    )


def find(keys: Keys, scratch: Path) -> Field:
    """Find all who can take part; those that spill chunks to files do it under `scratch`."""
    theirs, absent = _released(keys, scratch)
    return Field((*_ours(keys), *theirs), absent)


def environment(home: Path, server: S3Server | None = None) -> dict[str, str]:
    """All variables of a contestant: none of the person who runs the benchmark, and nothing outside of `home`."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(home),
        "TMPDIR": str(home),
        "S3DUCT_STATE_DIR": str(home / "state"),
        "AWS_EC2_METADATA_DISABLED": "true",
        **(server.environment() if server else {}),
    }


def _ours(keys: Keys) -> list[Contestant]:
    def one(method: str, put: Sequence[str], get: Sequence[str], rival: str) -> Contestant:
        return Contestant(f"ours-{method}", COMMAND, tuple(put), tuple(get), f"{RELEASE}-{rival}")

    aes = ("--key", f"file:{keys.aes}")
    return [
        one("plain", ("--no-encrypt",), (), "plain"),
        one("aes", aes, aes, "aes"),
        one("age", ("--age-recipient", keys.age_recipient), ("--age-identity", str(keys.age)), "age"),
        # Post-quantum recipients are unknown there; the payload is the same as for any other.
        one(
            "age-pq", ("--age-recipient", keys.age_pq_recipient), ("--age-identity", str(keys.age_pq)), "age"
        ),
    ]


def _released(keys: Keys, scratch: Path) -> tuple[list[Contestant], tuple[str, ...]]:
    command = released_command(RELEASE)
    if command is None:
        return [], (f"{RELEASE}: not installed (make oracles)",)

    def one(method: str, put: Sequence[str], get: Sequence[str]) -> Contestant:
        spill = ("--scratch-dir", str(scratch))
        return Contestant(f"{RELEASE}-{method}", command, (*put, *spill), (*get, *spill))

    aes, age = ("--key", f"file:{keys.aes}"), ("--age-identity", str(keys.age))
    found = [one("plain", ("--no-encrypt",), ()), one("aes", aes, aes)]
    if not (shutil.which("age") and shutil.which("age-keygen")):
        return found, (f"{RELEASE}-age: there is no age command",)
    return [*found, one("age", age, age)], ()


def _keygen(folder: Path, *arguments: str | Path) -> str:
    said = bytearray()
    measure.run([COMMAND, "keygen", *arguments], environment=environment(folder), on_output=said.extend)
    return said.decode().strip()
