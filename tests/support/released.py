"""Where `make oracles` installs the released versions of s3duct."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# Read now: the variables are gone from the environment when a test runs.
ORACLES = Path(os.environ.get("S3DUCT_ORACLES") or ROOT / ".oracles")


def released_command(version: str) -> Path | None:
    """Find the `s3duct` command of a released version; None if it is not installed."""
    command = ORACLES / version / "bin" / "s3duct"
    return command if command.exists() else None
