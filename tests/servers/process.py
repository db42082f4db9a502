"""A server that is a process of ours: start it, wait until it serves, stop it, leave nothing behind."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING

from tests.servers.model import ACCESS_KEY, SECRET_KEY, S3Server
from tests.servers.ports import free_ports
from tests.support.signals_later import signals_later

if TYPE_CHECKING:
    from collections.abc import Sequence

READY_WITHIN_S = 60
STOP_WITHIN_S = 10
START_ATTEMPTS = 3


class ServerDidNotStart(Exception):
    """The process ended, or did not serve in time; the message has the end of its log."""


class ServerProcess(ABC):
    """Context manager: on entry the server runs and its bucket takes objects; on exit it is gone."""

    name: str
    port_count = 1

    def __init__(self, parent: Path | None = None) -> None:
        """Make its folder in `parent`, or where temporary files go."""
        self._parent = parent
        self._process: subprocess.Popen[bytes] | None = None
        self._folder: Path | None = None
        self._ports: Sequence[int] = ()

    @abstractmethod
    def command(self, folder: Path, ports: Sequence[int]) -> list[str]:
        """Command line that keeps its data under `folder` and serves S3 on `ports[0]` of 127.0.0.1."""

    def __enter__(self) -> S3Server:
        for attempt in range(1, START_ATTEMPTS + 1):
            try:
                return self._start()
            except ServerDidNotStart:  # someone else may have taken a port between the look and the bind
                self.stop()
                if attempt == START_ATTEMPTS:
                    raise
            except BaseException:
                self.stop()
                raise
        raise AssertionError

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _start(self) -> S3Server:
        self._folder = Path(tempfile.mkdtemp(prefix=f"s3duct-{self.name}-", dir=self._parent))
        data = self._folder / "data"
        data.mkdir()
        self._ports = free_ports(self.port_count)
        return self._launch()

    def _launch(self) -> S3Server:
        """Start the process over the data and on the ports that are chosen."""
        assert self._folder is not None
        data, ports = self._folder / "data", self._ports
        environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self._folder),
            "TMPDIR": str(self._folder),
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        }
        with (self._folder / "log").open("ab") as log, signals_later():
            self._process = subprocess.Popen(
                self.command(data, ports),
                cwd=self._folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # a process group of its own, so that stop() reaches its children
            )
        server = S3Server(
            name=self.name, endpoint_url=f"http://127.0.0.1:{ports[0]}", pids=(self._process.pid,)
        )
        self._wait_until_ready(server)
        return server

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the whole process group."""
        assert self._process is not None
        os.killpg(self._process.pid, number)

    def kill(self) -> None:
        """End it at once (SIGKILL); its data stay for `revive`."""
        self.signal(signal.SIGKILL)
        assert self._process is not None
        self._process.wait(STOP_WITHIN_S)

    def revive(self) -> S3Server:
        """Start it again over the same data and on the same ports."""
        return self._launch()

    def _wait_until_ready(self, server: S3Server) -> None:
        assert self._process is not None
        deadline = time.monotonic() + READY_WITHIN_S
        while True:
            if self._process.poll() is not None:
                raise ServerDidNotStart(f"{self.name} exited with {self._process.returncode}\n{self._log()}")
            try:
                prepare_bucket(server)
            except NotReady as error:
                if time.monotonic() > deadline:
                    raise ServerDidNotStart(f"{self.name} is not ready: {error}\n{self._log()}") from error
                time.sleep(0.05)
            else:
                return

    def _log(self) -> str:
        assert self._folder is not None
        return (self._folder / "log").read_text(errors="replace")[-4000:]

    def stop(self) -> None:
        """End the process group and remove its data; safe to call again."""
        if self._process is not None:
            _end_group(self._process)
            self._process = None
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None


class NotReady(Exception):
    """The server does not take objects yet."""


def prepare_bucket(server: S3Server) -> None:
    """Create the bucket, and see that an object can be written: some servers take buckets before objects."""
    from botocore.exceptions import BotoCoreError, ClientError

    client = server.client()
    try:
        with contextlib.suppress(
            client.exceptions.BucketAlreadyOwnedByYou, client.exceptions.BucketAlreadyExists
        ):
            client.create_bucket(Bucket=server.bucket)
        client.put_object(Bucket=server.bucket, Key="ready", Body=b"ready")
        client.delete_object(Bucket=server.bucket, Key="ready")
    except (BotoCoreError, ClientError) as error:
        raise NotReady(str(error)) from error
    finally:
        client.close()


def binary(name: str, package: str) -> str:
    """Find a program that a package of the `test` extra puts beside this interpreter, or on PATH."""
    beside = Path(sys.prefix, "bin", name)
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        raise RuntimeError(f"{name} not found: install {package} (it is in the extra `test`)")
    return found


def group_is_gone(pid: int) -> bool:
    """Tell whether no process is left in the group that the process `pid` led."""
    try:
        os.killpg(pid, 0)
    except ProcessLookupError:
        return True
    return False


def _end_group(process: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        deadline = time.monotonic() + STOP_WITHIN_S
        while time.monotonic() < deadline:
            if process.poll() is not None and group_is_gone(process.pid):
                return
            time.sleep(0.02)
    raise RuntimeError(f"process group {process.pid} does not end")
