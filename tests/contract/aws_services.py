"""What hands out AWS credentials, small enough to run in a test: metadata services, STS, SSO, a process, a disk."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import textwrap
import threading
import time
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Self
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SSO_TOKEN = "sso-bearer-token"
_ROLE_PATH = "/latest/meta-data/iam/security-credentials/"
_IMDS_TOKEN = "imds-v2-token"


class CredentialService:
    """ECS/EKS container credentials, EC2 instance metadata (version 2 only), STS and SSO on one loopback port.

    Every answer carries a new numbered key: ISSUED1, ISSUED2, ... with an expiry of its own.
    """

    def __init__(self) -> None:
        self.lifetime_s = 3600
        self.fail_with: tuple[int, str] | None = None  # status and body of every answer from now on
        self.issued: dict[str, datetime] = {}
        self.calls: list[str] = []
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def issue(self) -> tuple[str, datetime]:
        """Return the next key id and when it expires; each key outlives the one before it by a second."""
        with self._lock:
            number = len(self.issued) + 1
            now = datetime.now(UTC).replace(microsecond=0)
            expires_at = now + timedelta(seconds=self.lifetime_s + number)
            self.issued[f"ISSUED{number}"] = expires_at
            return f"ISSUED{number}", expires_at

    def answer(self, method: str, url: str, headers: dict[str, str], body: str) -> tuple[int, str]:
        """Return status and body for one request."""
        form = parse_qs(body)
        action = form.get("Action", [f"{method} {urlsplit(url).path}"])[0]
        self.calls.append(action)
        if self.fail_with:
            return self.fail_with
        pod = headers.get("authorization") == "Bearer pod"
        instance = headers.get("x-aws-ec2-metadata-token") == _IMDS_TOKEN
        user = headers.get("x-amz-sso_bearer_token") == SSO_TOKEN
        workload = form.get("WebIdentityToken") == ["a.web.token"]
        routes: dict[str, tuple[bool, Callable[[], str]]] = {
            "GET /container": (pod, self._metadata),
            "PUT /latest/api/token": (True, lambda: _IMDS_TOKEN),
            f"GET {_ROLE_PATH}": (instance, lambda: "the-role"),
            f"GET {_ROLE_PATH}the-role": (instance, self._metadata),
            "GET /federation/credentials": (user, self._sso),
            "AssumeRole": (True, lambda: self._sts(action)),
            "AssumeRoleWithWebIdentity": (workload, lambda: self._sts(action)),
        }
        known, text = routes.get(action, (False, str))
        return (200, text()) if known else (401, '{"__type":"UnauthorizedException"}')

    def _metadata(self) -> str:
        key, expires_at = self.issue()
        keys = {"AccessKeyId": key, "SecretAccessKey": f"secret-of-{key}", "Token": f"token-of-{key}"}
        return json.dumps(keys | {"Code": "Success", "Expiration": _iso(expires_at)})

    def _sso(self) -> str:
        key, expires_at = self.issue()
        keys = {"accessKeyId": key, "secretAccessKey": f"secret-of-{key}", "sessionToken": f"token-of-{key}"}
        return json.dumps({"roleCredentials": keys | {"expiration": int(expires_at.timestamp() * 1000)}})

    def _sts(self, action: str) -> str:
        key, expires_at = self.issue()
        return (
            f'<{action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><{action}Result><Credentials>'
            f"<AccessKeyId>{key}</AccessKeyId><SecretAccessKey>secret-of-{key}</SecretAccessKey>"
            f"<SessionToken>token-of-{key}</SessionToken><Expiration>{_iso(expires_at)}</Expiration>"
            f"</Credentials></{action}Result></{action}Response>"
        )


class CredentialProcess:
    """A real `credential_process`: each run hands out the next key, and writes down what it handed out.

    Args:
        folder: where the script and its record go.
        lifetime_s: until each key expires; None for keys that do not say.
    """

    def __init__(self, folder: Path, *, lifetime_s: int | None = 3600) -> None:
        self._record = folder / "issued"
        self._failure = folder / "failure"
        script = folder / "process.py"
        script.write_text(
            textwrap.dedent(f"""\
                import datetime, json, pathlib, sys
                record, failure = pathlib.Path({str(self._record)!r}), pathlib.Path({str(self._failure)!r})
                if failure.exists():
                    code, text = failure.read_text().split(" ", 1)
                    sys.stderr.write(text)
                    sys.stdout.write(text)
                    sys.exit(int(code))
                sys.stdin.read()
                number = len(record.read_text().splitlines()) + 1 if record.exists() else 1
                lifetime_s = {lifetime_s}
                now = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
                keys = {{"Version": 1, "AccessKeyId": f"PROCESS{{number}}", "SecretAccessKey": "process-secret"}}
                if lifetime_s is not None:
                    expires_at = now + datetime.timedelta(seconds=lifetime_s + number)
                    keys["Expiration"] = expires_at.isoformat()
                with record.open("a") as file:
                    file.write(keys["AccessKeyId"] + " " + keys.get("Expiration", "never") + "\\n")
                print(json.dumps(keys))
                """)
        )
        self.command = f"{sys.executable} -IS {script}"

    @property
    def issued(self) -> dict[str, str]:
        """Key ids that were handed out so far, each with its expiry as the process wrote it."""
        lines = self._record.read_text().splitlines() if self._record.exists() else []
        return dict(line.split(" ", 1) for line in lines)

    def fail(self, text: str, *, exit_code: int = 1) -> None:
        """Print that text to both outputs from now on, and end with that code."""
        self._failure.write_text(f"{exit_code} {text}")


@contextmanager
def rclone_s3(folder: Path, port: int, *access_keys: str) -> Iterator[str]:
    """Serve that folder as S3, to those keys only (with `process-secret` as their secret); yield its URL."""
    keys = [word for key in access_keys for word in ("--auth-key", f"{key},process-secret")]
    program = Path(sys.executable).with_name("rclone")
    command = [str(program), "serve", "s3", "--config", os.devnull, "--addr", f"127.0.0.1:{port}", *keys]
    with subprocess.Popen([*command, str(folder)], stderr=subprocess.DEVNULL) as process:
        try:
            _wait_for(port)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.kill()


def free_port() -> int:
    """Return a TCP port of the loopback address that nobody listens on right now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.02)
    raise TimeoutError(port)


def _iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _handler(service: CredentialService) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, text = service.answer(self.command, self.path, headers, body)
            self.send_response(status)
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        do_GET = do_PUT = do_POST = _answer  # noqa: N815 -- the base class's names

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the base class's name
            """Stay silent."""

    return Handler
