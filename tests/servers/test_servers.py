"""The servers are real: they check signatures, keep objects, list them, and are gone after use."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

import obstore
import pytest

from tests.servers import Moto, Rclone, S3Server, SeaweedFS
from tests.servers.ports import FIRST, GRPC_OFFSET, LAST, free_ports
from tests.servers.process import ServerDidNotStart, ServerProcess, group_is_gone

if TYPE_CHECKING:
    from collections.abc import Sequence


def put_get_list(server: S3Server, name: str) -> None:
    store = server.obstore()
    obstore.put(store, f"{name}/a", b"alpha")
    obstore.put(store, f"{name}/b", b"beta" * 100_000)

    assert bytes(obstore.get(store, f"{name}/b").bytes()) == b"beta" * 100_000
    listed = [entry for page in obstore.list(store, prefix=f"{name}/") for entry in page]
    assert sorted((entry["path"], entry["size"]) for entry in listed) == [
        (f"{name}/a", 5),
        (f"{name}/b", 400_000),
    ]


def test_put_get_list(s3_server: S3Server, unique_name: str) -> None:
    put_get_list(s3_server, unique_name)


def test_put_get_list_on_moto(moto_s3: S3Server, unique_name: str) -> None:
    put_get_list(moto_s3, unique_name)


def test_a_wrong_secret_is_refused(s3_server: S3Server, unique_name: str) -> None:
    store = s3_server.obstore(secret_access_key="not-the-secret")
    with pytest.raises((PermissionError, obstore.exceptions.BaseError)):
        obstore.put(store, unique_name, b"forged")


def test_moto_keeps_a_storage_class(moto_s3: S3Server, unique_name: str) -> None:
    client = moto_s3.client()
    client.put_object(Bucket=moto_s3.bucket, Key=unique_name, Body=b"cold", StorageClass="GLACIER")
    assert client.head_object(Bucket=moto_s3.bucket, Key=unique_name)["StorageClass"] == "GLACIER"


@pytest.mark.parametrize("factory", [SeaweedFS, Rclone, Moto], ids=lambda factory: factory.name)
def test_nothing_is_left_after_stop(
    factory: type[SeaweedFS | Rclone | Moto], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    manager: AbstractContextManager[S3Server] = factory()
    with manager as server:
        (pid,) = server.pids
        assert not group_is_gone(pid)
        assert list(tmp_path.glob("s3duct-*"))
    assert group_is_gone(pid)
    assert not list(tmp_path.glob("s3duct-*"))


class Broken(ServerProcess):
    name = "broken"

    def command(self, folder: Path, ports: Sequence[int]) -> list[str]:
        return ["sh", "-c", "echo no room on port >&2; exit 3"]


def test_a_server_that_does_not_start_says_why_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(ServerDidNotStart, match=r"exited with 3\nno room on port"), Broken():
        pass
    assert not list(tmp_path.glob("s3duct-*"))


def test_free_ports_are_different_and_leave_room_for_grpc() -> None:
    ports = free_ports(50)
    assert len(set(ports)) == 50
    assert all(FIRST <= port < LAST and port + GRPC_OFFSET < 65_536 for port in ports)
