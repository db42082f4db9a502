"""An HTTP server that answers as it is told, for what real stores do only on a bad day."""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, ClassVar, Self
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it arrived. `headers` have lower-case names."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def path(self) -> str:
        """Path without the query, decoded."""
        return unquote(urlsplit(self.target).path)

    @property
    def query(self) -> str:
        """Query as sent."""
        return urlsplit(self.target).query


@dataclass(frozen=True, slots=True)
class Answer:
    """What to send back. With `promised_bytes` the Content-Length lies, and the connection ends after the body."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    promised_bytes: int | None = None


class Reset:
    """Tear the connection down (TCP RST) instead of answering."""


class Stall:
    """Take the request and never answer."""


@dataclass(frozen=True, slots=True)
class StallInBody:
    """Answer 200, send this much of a longer body, and then nothing more."""

    first: bytes
    promised_bytes: int


Reply = Answer | Reset | Stall | StallInBody


def error_answer(status: int, code: str, message: str = "", *, extra: str = "") -> Answer:
    """Make an error as S3 sends it (Amazon S3 API Reference, "REST error responses")."""
    text = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Error><Code>{code}</Code><Message>{message}</Message>{extra}<RequestId>4442587FB7D0A2F9</RequestId></Error>"
    )
    return Answer(status, text.encode(), {"content-type": "application/xml"})


class ScriptedS3:
    """Context manager: serves on the loopback address; `script` makes the reply to each request."""

    def __init__(self, script: Callable[[Request], Reply]) -> None:
        self.requests: list[Request] = []
        self._script = script
        self._stopping = threading.Event()
        self._server = _Server(("127.0.0.1", 0), type("_Handler", (_Handler,), {"owner": self}))
        self.port = self._server.server_port
        self.endpoint_url = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        ).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._server.close_connections()

    def reply_to(self, request: Request) -> Reply:
        """Record the request and ask the script."""
        self.requests.append(request)
        return self._script(request)

    def stall(self) -> None:
        """Keep a connection waiting until the server stops."""
        self._stopping.wait(timeout=60)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(address, handler)
        self.connections: set[socket.socket] = set()

    def process_request(self, request: object, client_address: object) -> None:
        """Remember the connection: clients keep theirs open, and threads would wait for them."""
        assert isinstance(request, socket.socket)
        self.connections.add(request)
        super().process_request(request, client_address)

    def close_connections(self) -> None:
        """End what is still open."""
        for connection in list(self.connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: object, client_address: object) -> None:
        """Stay silent: clients that give up are part of the script."""


class _Handler(BaseHTTPRequestHandler):
    owner: ClassVar[ScriptedS3]
    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        reply = self.owner.reply_to(Request(self.command, self.path, headers, body))
        match reply:
            case Answer():
                self._send(reply)
            case StallInBody():
                self._send(Answer(200, reply.first, promised_bytes=reply.promised_bytes), end=False)
                self.owner.stall()
            case Stall():
                self.owner.stall()
            case Reset():
                self._reset()

    def _reset(self) -> None:
        # Lingering for no time at all turns the close into a reset.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()

    def _send(self, answer: Answer, *, end: bool = True) -> None:
        lies = answer.promised_bytes is not None
        length = answer.promised_bytes if lies else len(answer.body)
        with suppress(OSError):
            self._send_head(answer, length)
            self.wfile.write(b"" if self.command == "HEAD" else answer.body)
            self.wfile.flush()
        if lies and end:
            self.close_connection = True

    def _send_head(self, answer: Answer, length: int | None) -> None:
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(length))
        self.end_headers()

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = do_CONNECT = _answer  # noqa: N815 - the base class's names

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Stay silent."""
