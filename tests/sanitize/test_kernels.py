"""The C code under AddressSanitizer and UndefinedBehaviorSanitizer: no byte read beyond a piece, and the same digests."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NATIVE = ROOT / "adapters" / "native"
SOURCES = [NATIVE / name for name in ("together.c", "sha3.c", "sha256.c")]
EDGES = (0, 1, 8, 55, 56, 63, 64, 65, 119, 127, 128, 135, 136, 137, 271, 272, 273, 408)
ROUNDS = int(os.environ.get("SANITIZE_ROUNDS", "300"))
FLAGS = ["-std=c11", "-O1", "-g", "-Wall", "-Wextra", "-Wshadow", "-Wconversion", "-Werror"]
SANITIZERS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
KERNELS = [("sha3_256", 0), ("sha3_256", 1), ("sha3_256", 2), ("sha256", 0)]


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which(os.environ.get("CC", "cc"))
    if compiler is None:
        pytest.skip("no C compiler")
    folder = tmp_path_factory.mktemp("sanitized")
    (folder / "empty.c").write_text("int main(void) { return 0; }\n")
    probe = [compiler, *SANITIZERS, str(folder / "empty.c"), "-o", str(folder / "empty")]
    if subprocess.run(probe, check=False, capture_output=True).returncode:
        pytest.skip("the C compiler has no sanitizers")
    made = folder / "driver"
    source = Path(__file__).with_name("driver.c")
    done = subprocess.run(
        [compiler, *FLAGS, *SANITIZERS, f"-I{NATIVE}", source, *SOURCES, "-o", made],
        check=False,
        capture_output=True,
        text=True,
    )
    assert not done.returncode, done.stderr
    return made


def numbers(*values: int) -> bytes:
    return b"".join(value.to_bytes(4, "little") for value in values)


@pytest.mark.parametrize(("algorithm", "kernel"), KERNELS)
def test_random_lanes_lengths_and_splits_hash_cleanly(driver: Path, algorithm: str, kernel: int) -> None:
    rng = random.Random(f"{algorithm} {kernel}")
    said, expected = b"", b""
    for _ in range(ROUNDS):
        lanes, updates = rng.randrange(1, 10), rng.randrange(4)
        whole = [b""] * lanes
        said += numbers(algorithm == "sha3_256", kernel, lanes, updates)
        for _ in range(updates):
            pieces = [rng.randbytes(rng.choice((*EDGES, rng.randrange(3000)))) for _ in range(lanes)]
            said += numbers(*map(len, pieces)) + b"".join(pieces)
            whole = [before + piece for before, piece in zip(whole, pieces, strict=True)]
        expected += b"".join(hashlib.new(algorithm, message).digest() for message in whole)
    done = subprocess.run([driver], input=said + numbers(0, 0, 0, 0), check=False, capture_output=True)
    if done.returncode == 2:
        pytest.skip("this processor has no such kernel")
    assert not done.returncode, done.stderr.decode()
    assert done.stdout == expected


def test_a_byte_read_beyond_a_piece_would_be_found(driver: Path, tmp_path: Path) -> None:
    """The check checks: with one block too many the sanitizer ends the run."""
    broken = tmp_path / "together.c"
    text = (NATIVE / "together.c").read_text()
    spoilt = text.replace(
        "kernel->together(states, data, blocks);", "kernel->together(states, data, blocks + 1);"
    )
    assert spoilt != text
    broken.write_text(spoilt)
    compiler = shutil.which(os.environ.get("CC", "cc"))
    assert compiler is not None
    made = tmp_path / "driver"
    source = Path(__file__).with_name("driver.c")
    subprocess.run(
        [compiler, "-g", *SANITIZERS, f"-I{NATIVE}", source, broken, *SOURCES[1:], "-o", made], check=True
    )
    said = numbers(1, 0, 4, 1) + numbers(*[272] * 4) + bytes(4 * 272) + numbers(0, 0, 0, 0)
    done = subprocess.run([made], input=said, check=False, capture_output=True)
    assert done.returncode
    assert b"heap-buffer-overflow" in done.stderr
