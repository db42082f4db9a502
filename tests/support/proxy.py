"""A plain HTTP/1.1 proxy in front of one server: passes everything on as it is, and keeps a record of it."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Self
from urllib.parse import parse_qs, unquote, urlsplit

_READ_BYTES = 1 << 16
_LONGEST_HEAD = 1 << 16
_IDLE_S = 60.0
_NO_BODY = {204, 304}


@dataclass(slots=True)
class Exchange:
    """One request and what became of it. `number` counts requests in the order they arrived."""

    number: int
    method: str
    path: str
    query: dict[str, list[str]]
    status: int = 0
    relayed: bool = False

    @property
    def writes_object(self) -> bool:
        """Whether it makes an object of a stream visible: a whole PUT, or the end of a multipart upload; no journal's."""
        if "/.resume/" in self.path:
            return False
        if self.method == "PUT":
            return "partNumber" not in self.query
        return self.method == "POST" and "uploadId" in self.query


class RecordingProxy:
    """Context manager; clients talk to `endpoint_url`. The Host header passes unchanged, so signatures stay valid."""

    def __init__(
        self,
        target_url: str,
        *,
        on_request: Callable[[Exchange], object] = lambda _: None,
        on_answer: Callable[[Exchange], object] = lambda _: None,
        idle_s: float | None = None,
    ) -> None:
        """Remember the server; nothing listens yet.

        `on_request` is called before a request is passed on, `on_answer` before its answer is. A connection that has been
        idle for `idle_s` is closed, as servers do; `dropped` counts those.
        """
        parts = urlsplit(target_url)
        assert parts.hostname is not None
        self._target = (parts.hostname, parts.port or 80)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.endpoint_url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._on_request = on_request
        self._on_answer = on_answer
        self._idle_s = idle_s
        self.dropped = 0
        self._lock = threading.Lock()
        self._exchanges: list[Exchange] = []
        self._open: set[socket.socket] = set()
        self._busy = 0
        self._idle = threading.Condition(self._lock)

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        # shutdown, not just close: it wakes the thread that waits in accept.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        self.wait_until_idle()

    @property
    def exchanges(self) -> list[Exchange]:
        """All requests so far."""
        with self._lock:
            return list(self._exchanges)

    def wait_until_idle(self) -> None:
        """Wait until no client is connected: what was on its way has arrived."""
        with self._idle:
            assert self._idle.wait_for(lambda: self._busy == 0, _IDLE_S), "the proxy does not become idle"

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self._busy += 1
                self._open.add(client)
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        try:
            with client, socket.create_connection(self._target) as server:
                for connection in (client, server):
                    # Or the second piece of a small message waits for the delayed acknowledgement of the first.
                    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                with self._lock:
                    self._open.add(server)
                with contextlib.suppress(OSError, ConnectionEnded):
                    self._relay(client, server)
                with self._lock:
                    self._open.discard(server)
        finally:
            with self._idle:
                self._open.discard(client)
                self._busy -= 1
                self._idle.notify_all()

    def _relay(self, client: socket.socket, server: socket.socket) -> None:
        upstream, downstream = MessageReader(client), MessageReader(server)
        while True:
            head = self._next_head(client, upstream)
            method, target, _ = head.split(b"\r\n", 1)[0].decode("ascii").split(" ", 2)
            exchange = self._note(method, target)
            self._pass_on(exchange, head, upstream, downstream, client, server)

    def _next_head(self, client: socket.socket, upstream: MessageReader) -> bytes:
        client.settimeout(self._idle_s)
        try:
            return upstream.head()
        except TimeoutError:
            with self._lock:
                self.dropped += 1
            raise ConnectionEnded from None
        finally:
            client.settimeout(None)

    def _pass_on(
        self,
        exchange: Exchange,
        head: bytes,
        upstream: MessageReader,
        downstream: MessageReader,
        client: socket.socket,
        server: socket.socket,
    ) -> None:
        """Pass one request on whose head was read, and its answer back."""
        self._on_request(exchange)
        server.sendall(head)
        if b"100-continue" in head.lower():
            client.sendall(downstream.head())
        for piece in upstream.body(head):
            server.sendall(piece)
        answer = downstream.head()
        exchange.status = int(answer.split(b" ", 2)[1])
        self._on_answer(exchange)
        client.sendall(answer)
        if exchange.method != "HEAD" and exchange.status not in _NO_BODY:
            for piece in downstream.body(answer):
                client.sendall(piece)
        exchange.relayed = True

    def _note(self, method: str, target: str) -> Exchange:
        parts = urlsplit(target)
        with self._lock:
            exchange = Exchange(
                len(self._exchanges),
                method,
                unquote(parts.path),
                parse_qs(parts.query, keep_blank_values=True),
            )
            self._exchanges.append(exchange)
        return exchange


class ConnectionEnded(Exception):
    """One end has closed the connection, or is to find it closed."""


class MessageReader:
    """Reads HTTP messages off a socket."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._buffer = bytearray()

    def head(self) -> bytes:
        """Start line and headers, up to and with the empty line."""
        while (end := self._buffer.find(b"\r\n\r\n")) < 0:
            assert len(self._buffer) < _LONGEST_HEAD
            self._fill()
        return self._take(end + 4)

    def body(self, head: bytes) -> Iterator[bytes]:
        """The body that `head` announces, as it stands on the wire."""
        if re.search(rb"(?im)^transfer-encoding:\s*chunked", head):
            yield from self._chunked()
            return
        announced = re.search(rb"(?im)^content-length:\s*(\d+)", head)
        yield from self._exactly(int(announced[1]) if announced else 0)

    def _chunked(self) -> Iterator[bytes]:
        while True:
            line = self._line()
            yield line
            size = int(line.split(b";")[0], 16)
            yield from self._exactly(size)
            if size == 0:
                break
            yield self._line()
        while (line := self._line()) != b"\r\n":
            yield line
        yield line

    def _line(self) -> bytes:
        while (end := self._buffer.find(b"\r\n")) < 0:
            self._fill()
        return self._take(end + 2)

    def _exactly(self, size: int) -> Iterator[bytes]:
        while size:
            if not self._buffer:
                self._fill()
            piece = self._take(min(size, len(self._buffer)))
            size -= len(piece)
            yield piece

    def _fill(self) -> None:
        data = self._connection.recv(_READ_BYTES)
        if not data:
            raise ConnectionEnded
        self._buffer += data

    def _take(self, size: int) -> bytes:
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        return taken
