"""moto: for what the others lack (storage classes, Glacier restore, Object Lock). It checks no signature."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from tests.servers.process import ServerProcess

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class Moto(ServerProcess):
    """`moto_server` in a process of its own."""

    name = "moto"

    def command(self, folder: Path, ports: Sequence[int]) -> list[str]:
        return [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(ports[0])]
