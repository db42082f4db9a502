"""Other programs that read and write age files: the `age` command, and npm `age-encryption`."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
AGE = shutil.which("age") or ""
AGE_KEYGEN = shutil.which("age-keygen") or ""
_NODE = shutil.which("node") or ""
_PEER = ROOT / "tests" / "interop" / "age_peer.mjs"
# Read now: the variables are gone from the environment when a test runs.
_MODULES = Path(os.environ.get("S3DUCT_ORACLES") or ROOT / ".oracles").resolve() / "node" / "node_modules"
_AGE_REQUIRED = bool(os.environ.get("S3DUCT_REQUIRE_AGE"))
_NODE_REQUIRED = bool(os.environ.get("S3DUCT_REQUIRE_NODE"))


def require_age() -> None:
    """Skip the test where there is no `age` command; fail it there if S3DUCT_REQUIRE_AGE is set."""
    if not AGE and _AGE_REQUIRED:
        pytest.fail("S3DUCT_REQUIRE_AGE is set, and there is no age command")
    if not AGE:
        pytest.skip("there is no age command")


def require_node() -> None:
    """Skip the test where there is no `age-encryption`; fail it there if S3DUCT_REQUIRE_NODE is set."""
    missing = "node" if not _NODE else "" if _MODULES.exists() else "age-encryption (run `make oracles`)"
    if missing and _NODE_REQUIRED:
        pytest.fail(f"S3DUCT_REQUIRE_NODE is set, and there is no {missing}")
    if missing:
        pytest.skip(f"there is no {missing}")


def age(*arguments: str | Path, given: bytes = b"") -> bytes:
    """Run `age`."""
    return subprocess.run([AGE, *arguments], input=given, capture_output=True, check=True, timeout=60).stdout


def recipients_of(identity_file: Path) -> list[str]:
    """Run `age-keygen -y`."""
    told = subprocess.run([AGE_KEYGEN, "-y", identity_file], capture_output=True, check=True, text=True)
    return told.stdout.splitlines()


def node(*arguments: str, given: bytes = b"") -> bytes:
    """Run `age-encryption`: `seal RECIPIENT...`, `open IDENTITY...` or `recipient IDENTITY`."""
    command = [_NODE, str(_PEER), str(_MODULES), *arguments]
    return subprocess.run(command, input=given, capture_output=True, check=True, timeout=120).stdout
