"""Who takes part: this s3duct with every way of sealing that it has, the released one, and what people use otherwise."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench import measure
from tests.bench.measure import Pipeline
from tests.bench.native import HASHES_NATIVELY, WITHOUT_NATIVE
from tests.bench.peers import RELEASE, Peers
from tests.servers import S3Server
from tests.support.command import COMMAND

OURS = "ours-"
PLAIN, AES, AGE, AGE_PQ = "ours-plain", "ours-aes", "ours-age", "ours-age-pq"
AES_HASHLIB, AES_DEFAULT_CHUNKS = "ours-aes-hashlib", "ours-aes-512M"
RELEASED_PLAIN, RELEASED_AES = f"{RELEASE}-plain", f"{RELEASE}-aes"
AWS, S5CMD, RCLONE, AGE_AWS, RESTIC = "aws", "s5cmd", "rclone", "age+aws", "restic"

MEMORY_LIMIT = "2G"
_URL = "s3://{bucket}/{name}/object"


@dataclass(frozen=True, slots=True)
class Contestant:
    """Its pipelines, in which `{bucket}`, `{endpoint}` and `{name}` are filled in; all it stores lies under `{name}/`.

    `prepare` runs before each put and is not measured.
    """

    label: str
    what: str
    put: Pipeline
    get: Pipeline
    prepare: Pipeline = ()
    variables: Mapping[str, str] = field(default_factory=dict)


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


def find(keys: Keys, peers: Peers, chunk_size: str, scratch: Path) -> Field:
    """Find all who can take part.

    `chunk_size` is that of every s3duct, but for the one that is given none. The released one spills chunks to `scratch`.
    """
    ours, missing = _ours(keys, chunk_size)
    theirs = [*_released(keys, peers, chunk_size, scratch), *_others(keys, peers)]
    return Field((*ours, *theirs), (*missing, *peers.absent))


def environment(home: Path, server: S3Server | None = None) -> dict[str, str]:
    """All variables of a contestant: none of the person who runs the benchmark, and nothing outside of `home`."""
    scratch = scratch_folder(home)
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(home),
        "TMPDIR": str(scratch),
        "S3DUCT_STATE_DIR": str(home / "state"),
        "S3DUCT_SCRATCH_DIR": str(scratch),
        "AWS_EC2_METADATA_DISABLED": "true",
        **(server.environment() if server else {}),
    }


def scratch_folder(home: Path) -> Path:
    """Where contestants may keep what they do not keep in memory."""
    folder = home / "scratch"
    folder.mkdir(exist_ok=True)
    return folder


def filled_in(pipeline: Pipeline, server: S3Server, name: str) -> list[list[str]]:
    """Return the commands for one stream on one server."""
    places = {"{bucket}": server.bucket, "{endpoint}": server.endpoint_url, "{name}": name}
    return [[_replaced(str(part), places) for part in command] for command in pipeline]


def _replaced(text: str, places: Mapping[str, str]) -> str:
    for place, value in places.items():
        text = text.replace(place, value)
    return text


def _s3duct(program: Path, *flags: str, put: Sequence[str], get: Sequence[str]) -> tuple[Pipeline, Pipeline]:
    store = ("--bucket", "{bucket}", "--endpoint-url", "{endpoint}", "--name", "{name}", "--quiet", *flags)
    return [(program, "put", *store, *put)], [(program, "get", *store, *get)]


def _ours(keys: Keys, chunk_size: str) -> tuple[list[Contestant], list[str]]:
    sized = ("--chunk-size", chunk_size)

    def one(
        label: str, what: str, put: Sequence[str], get: Sequence[str], cut: Sequence[str] = sized, **more: str
    ) -> Contestant:
        limited = ("--memory-limit", MEMORY_LIMIT)
        return Contestant(label, what, *_s3duct(COMMAND, *limited, put=(*put, *cut), get=get), variables=more)

    aes = ("--key", f"file:{keys.aes}")
    found = [
        one(AES, "this s3duct, AES-256-GCM", aes, aes),
        one(AES_DEFAULT_CHUNKS, "the same, at the default chunk size", aes, aes, ()),
        one(PLAIN, "the same, not encrypted", ("--no-encrypt",), ()),
        one(AGE, "age, X25519", ("--age-recipient", keys.age_recipient), ("--age-identity", str(keys.age))),
        one(
            AGE_PQ,
            "age, post-quantum",
            ("--age-recipient", keys.age_pq_recipient),
            ("--age-identity", str(keys.age_pq)),
        ),
    ]
    if not HASHES_NATIVELY:
        return found, [f"{AES_HASHLIB}: the compiled hashes are not there, so that {AES} uses hashlib itself"]
    return [*found, one(AES_HASHLIB, f"{AES} without compiled hashes", aes, aes, **WITHOUT_NATIVE)], []


def _released(keys: Keys, peers: Peers, chunk_size: str, scratch: Path) -> list[Contestant]:
    program = peers.programs.get(f"s3duct {RELEASE}")
    if program is None:
        return []
    sized, spill = ("--chunk-size", chunk_size), ("--scratch-dir", str(scratch))

    def one(label: str, what: str, put: Sequence[str], get: Sequence[str]) -> Contestant:
        return Contestant(label, what, *_s3duct(program, *spill, put=(*put, *sized), get=get))

    aes = ("--key", f"file:{keys.aes}")
    return [
        one(RELEASED_AES, f"s3duct {RELEASE}, AES-256-GCM", aes, aes),
        one(RELEASED_PLAIN, "the same, not encrypted", ("--no-encrypt",), ()),
    ]


def _others(keys: Keys, peers: Peers) -> list[Contestant]:
    """Those that neither keep two digests nor go on where they were interrupted; the first three do not encrypt, either."""
    makers: list[tuple[tuple[str, ...], Callable[..., Contestant]]] = [
        (("aws",), _aws),
        (("s5cmd",), _s5cmd),
        (("rclone",), _rclone),
        (("age", "aws"), lambda *programs: _age_aws(keys, *programs)),
        (("restic",), _restic),
    ]
    return [
        make(*(peers.programs[name] for name in needed))
        for needed, make in makers
        if all(name in peers.programs for name in needed)
    ]


def _aws_copy(aws: Path) -> tuple[str | Path, ...]:
    return aws, "--endpoint-url", "{endpoint}", "s3", "cp", "--only-show-errors"


def _aws(aws: Path) -> Contestant:
    copy = _aws_copy(aws)
    return Contestant(
        AWS, "aws s3 cp - URL, aws s3 cp URL -; not encrypted", [(*copy, "-", _URL)], [(*copy, _URL, "-")]
    )


def _s5cmd(s5cmd: Path) -> Contestant:
    program = (s5cmd, "--endpoint-url", "{endpoint}")
    what = "s5cmd pipe, s5cmd cat; not encrypted"
    return Contestant(S5CMD, what, [(*program, "pipe", _URL)], [(*program, "cat", _URL)])


def _rclone(rclone: Path) -> Contestant:
    where = ":s3,provider=Other,env_auth,endpoint='{endpoint}':{bucket}/{name}/object"
    what = "rclone rcat, rclone cat; not encrypted"
    no_file = {"RCLONE_CONFIG": os.devnull}
    return Contestant(RCLONE, what, [(rclone, "rcat", where)], [(rclone, "cat", where)], variables=no_file)


def _age_aws(keys: Keys, age: Path, aws: Path) -> Contestant:
    copy = _aws_copy(aws)
    return Contestant(
        AGE_AWS,
        "age -r | aws s3 cp - URL, aws s3 cp URL - | age -d",
        [(age, "-r", keys.age_recipient), (*copy, "-", _URL)],
        [(*copy, _URL, "-"), (age, "-d", "-i", str(keys.age))],
    )


def _restic(restic: Path) -> Contestant:
    program = (restic, "--no-cache", "-q", "-r", "s3:{endpoint}/{bucket}/{name}")
    return Contestant(
        RESTIC,
        "restic backup --stdin, restic dump; encrypts and deduplicates",
        [(*program, "backup", "--stdin")],
        [(*program, "dump", "latest", "/stdin")],
        prepare=[(*program, "init")],
        variables={"RESTIC_PASSWORD": "for the benchmark alone"},
    )


def _keygen(folder: Path, *arguments: str | Path) -> str:
    said = bytearray()
    measure.run([COMMAND, "keygen", *arguments], environment=environment(folder), on_output=said.extend)
    return said.decode().strip()
