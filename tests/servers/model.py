"""What a test knows of a server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

ACCESS_KEY = "s3ducttestkey"
SECRET_KEY = "s3duct-test-secret"
REGION = "us-east-1"
BUCKET = "s3duct-test"


@dataclass(frozen=True, slots=True)
class S3Server:
    """A running S3 endpoint with one bucket, which tests share: take key names from `unique_name`."""

    name: str
    endpoint_url: str
    access_key: str = ACCESS_KEY
    secret_key: str = SECRET_KEY
    region: str = REGION
    bucket: str = BUCKET
    pids: tuple[int, ...] = ()
    """Our own processes behind it; empty if it runs in a container."""

    def environment(self) -> dict[str, str]:
        """Credentials and region as the variables that S3 clients read (the endpoint is an option)."""
        return {
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_REGION": self.region,
        }

    def client(self, service: str = "s3") -> Any:
        """Make a botocore client that signs, uses path style, and does not retry."""
        import botocore.config
        import botocore.session

        config = botocore.config.Config(
            connect_timeout=2,
            read_timeout=30,
            retries={"total_max_attempts": 1},
            s3={"addressing_style": "path"},
            proxies={},
        )
        return botocore.session.Session().create_client(
            service,
            endpoint_url=self.endpoint_url,
            region_name=self.region,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            config=config,
        )

    def obstore(self, **options: Any) -> Any:
        """Make an obstore S3 store over the bucket; `options` go to `obstore.store.S3Store`."""
        from obstore.store import S3Store

        settings: dict[str, Any] = {
            "endpoint": self.endpoint_url,
            "access_key_id": self.access_key,
            "secret_access_key": self.secret_key,
            "region": self.region,
            "virtual_hosted_style_request": False,
            "client_options": {"allow_http": True},
        }
        return S3Store(self.bucket, **(settings | options))
