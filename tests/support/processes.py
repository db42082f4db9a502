"""Looks at processes that a test's own commands have started."""

from __future__ import annotations

from pathlib import Path


def is_alive(pid: int) -> bool:
    """Whether it runs; a zombie does not."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return False
    return status.rpartition(")")[2].split()[0] not in "ZX"


def numbers_in(path: Path) -> list[int]:
    """Process ids that a script has written, none before."""
    return [int(word) for word in path.read_text().split()] if path.exists() else []
