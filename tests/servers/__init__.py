"""Real S3 servers on the loopback address, each a context manager that yields an `S3Server`."""

from tests.servers.minio import Minio, docker_missing
from tests.servers.model import S3Server
from tests.servers.moto import Moto
from tests.servers.rclone import Rclone
from tests.servers.seaweedfs import SeaweedFS

__all__ = ["Minio", "Moto", "Rclone", "S3Server", "SeaweedFS", "docker_missing"]
