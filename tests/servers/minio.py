"""MinIO in a container, wherever a Docker engine answers."""

from __future__ import annotations

import gc
import time
import warnings
from typing import Any

from tests.servers.model import ACCESS_KEY, SECRET_KEY, S3Server
from tests.servers.process import READY_WITHIN_S, NotReady, ServerDidNotStart, prepare_bucket

IMAGE = "minio/minio:RELEASE.2025-04-22T22-12-26Z"
PORT = 9000


def docker_missing() -> str | None:
    """Say why no Docker engine can be used, or None if one answers."""
    import docker

    with warnings.catch_warnings():
        # Where the engine's socket is missing, the client library drops its own end without closing it.
        warnings.simplefilter("ignore", ResourceWarning)
        try:
            engine = docker.from_env(timeout=5)
            try:
                engine.ping()
            finally:
                engine.close()
        except Exception as error:  # noqa: BLE001 - its own errors and those of the HTTP library below it
            reason = str(error).partition("\n")[0]
        else:
            return None
        gc.collect()
    return f"no Docker engine answers ({reason})"


class Minio:
    """Context manager: MinIO in a container of its own, removed on exit."""

    name = "minio"

    def __init__(self) -> None:
        self._container: Any = None

    def __enter__(self) -> S3Server:
        from testcontainers.core.container import DockerContainer

        self._container = (
            DockerContainer(IMAGE)
            .with_env("MINIO_ROOT_USER", ACCESS_KEY)
            .with_env("MINIO_ROOT_PASSWORD", SECRET_KEY)
            .with_exposed_ports(PORT)
            .with_command("server /data")
        )
        self._container.start()
        try:
            host = self._container.get_container_host_ip()
            port = self._container.get_exposed_port(PORT)
            server = S3Server(name=self.name, endpoint_url=f"http://{host}:{port}")
            self._wait_until_ready(server)
        except BaseException:
            self.stop()
            raise
        return server

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _wait_until_ready(self, server: S3Server) -> None:
        deadline = time.monotonic() + READY_WITHIN_S
        while True:
            try:
                return prepare_bucket(server)
            except NotReady as error:
                if time.monotonic() > deadline:
                    raise ServerDidNotStart(f"minio is not ready: {error}") from error
                time.sleep(0.1)

    def stop(self) -> None:
        """Remove the container; safe to call again."""
        if self._container is not None:
            self._container.stop()
            self._container = None
