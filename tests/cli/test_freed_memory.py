"""Pages that the process has are used again: contract with the C library's allocator (ADR 0026)."""

from __future__ import annotations

import ctypes
import subprocess
import sys

import pytest

_PROGRAM = """
import resource, sys
if sys.argv[1] == "without ctypes":
    sys.modules["ctypes"] = None
from s3duct.app.cli.freed_memory import keep_freed_memory

def receive():
    pieces = [b"x" * (3 << 20) for _ in range(8)]

if sys.argv[1] != "left alone":
    keep_freed_memory()
receive()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
receive()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
_PAGES = 8 * 3 * 256


def _fresh_pages(way: str) -> int:
    return int(subprocess.run([sys.executable, "-c", _PROGRAM, way], capture_output=True, check=True).stdout)


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="the C library is not glibc")
def test_what_is_received_next_takes_no_fresh_pages() -> None:
    assert _fresh_pages("left alone") > _PAGES / 2
    assert _fresh_pages("kept") < _PAGES / 20
    assert _fresh_pages("without ctypes") > _PAGES / 2
