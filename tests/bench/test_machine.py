"""The machine is described whatever it is, and its memory is never filled up."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from s3duct.domain.sizes import TIB
from tests.bench import machine


def test_nothing_is_left_blank() -> None:
    described = machine.describe()
    assert {
        "date",
        "cpu",
        "memory",
        "system",
        "python",
        "s3duct",
        "server rclone",
        "server seaweedfs",
    } <= set(described)
    assert all(described.values())
    assert f"{os.cpu_count()} cores" in described["cpu"]
    assert len(machine.load().split()) == 3


def test_what_does_not_fit_into_memory_goes_to_temporary_files() -> None:
    assert machine.folder_with_room(1000 * TIB) == Path(tempfile.gettempdir())


def test_a_little_goes_to_a_folder_that_is_there() -> None:
    assert machine.folder_with_room(1).is_dir()
