"""A proxy that does to chosen requests what networks and stores do on a bad day."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable
from enum import Enum
from typing import Self

from tests.fakes.scripted_s3 import Answer, error_answer
from tests.support.proxy import ConnectionEnded, Exchange, MessageReader, RecordingProxy

_REASONS = {200: "OK", 400: "Bad Request", 429: "Too Many Requests", 500: "Internal", 503: "Slow Down"}


class Fault(Enum):
    """What becomes of a request."""

    BEFORE = "reset before it is sent"
    HALF_REQUEST = "reset when half of its body is sent"
    REPLY_LOST = "taken by the server, and the reply lost"
    HALF_ANSWER = "reset in the middle of the answer"
    STALL = "no answer at all"
    LATE_ERROR = "200 with an error for a body"
    SERVER_ERROR = "500 InternalError"
    SLOW_DOWN = "503 SlowDown"
    TOO_MANY = "429"
    REQUEST_TIMEOUT = "400 RequestTimeout"
    RATE_LIMIT = "400 about the rate"
    EXPIRED = "400 ExpiredToken"


_ANSWERS = {
    Fault.LATE_ERROR: error_answer(200, "InternalError", "We failed late."),
    Fault.SERVER_ERROR: error_answer(500, "InternalError", "We failed."),
    Fault.SLOW_DOWN: error_answer(503, "SlowDown", "Reduce your request rate."),
    Fault.TOO_MANY: error_answer(429, "TooManyRequests", "Slower."),
    Fault.REQUEST_TIMEOUT: error_answer(400, "RequestTimeout", "The socket was idle."),
    Fault.RATE_LIMIT: error_answer(400, "InvalidRequest", "You have exceeded the rate limit."),
    Fault.EXPIRED: error_answer(400, "ExpiredToken", "The provided token has expired."),
}


class FaultyProxy(RecordingProxy):
    """Context manager; `choose` says what becomes of each request. `injected` lists what was done, in order."""

    def __init__(
        self,
        target_url: str,
        choose: Callable[[Exchange], Fault | None] = lambda _: None,
        *,
        idle_s: float | None = None,
    ) -> None:
        """Remember the server; nothing listens yet. `idle_s`: as of `RecordingProxy`."""
        super().__init__(target_url, idle_s=idle_s)
        self.choose = choose
        self.injected: list[tuple[Fault, Exchange]] = []
        self._over = threading.Event()

    def __enter__(self) -> Self:
        super().__enter__()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._over.set()
        super().__exit__(*exc_info)

    def _pass_on(
        self,
        exchange: Exchange,
        head: bytes,
        upstream: MessageReader,
        downstream: MessageReader,
        client: socket.socket,
        server: socket.socket,
    ) -> None:
        fault = self.choose(exchange)
        if fault is None:
            super()._pass_on(exchange, head, upstream, downstream, client, server)
            return
        self.injected.append((fault, exchange))
        if fault in _ANSWERS:
            for _ in upstream.body(head):
                pass
            client.sendall(_wire(_ANSWERS[fault], to_head=exchange.method == "HEAD"))
            return
        if fault is Fault.STALL:
            self._over.wait(60)
        if fault in (Fault.HALF_REQUEST, Fault.REPLY_LOST, Fault.HALF_ANSWER):
            server.sendall(head)
            body = b"".join(upstream.body(head))
            server.sendall(body[: len(body) // 2] if fault is Fault.HALF_REQUEST else body)
        if fault in (Fault.REPLY_LOST, Fault.HALF_ANSWER):
            answer = downstream.head()
            exchange.status = int(answer.split(b" ", 2)[1])
            content = b"" if exchange.method == "HEAD" else b"".join(downstream.body(answer))
            if fault is Fault.HALF_ANSWER:
                client.sendall((answer + content)[: len(answer) + len(content) // 2])
        _reset(client)
        raise ConnectionEnded


def _reset(connection: socket.socket) -> None:
    # Lingering for no time at all turns the close into a reset.
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def _wire(answer: Answer, *, to_head: bool) -> bytes:
    head = (
        f"HTTP/1.1 {answer.status} {_REASONS[answer.status]}\r\ncontent-type: application/xml\r\n"
        f"content-length: {len(answer.body)}\r\n\r\n"
    )
    return head.encode() + (b"" if to_head else answer.body)
