"""Free TCP ports."""

from __future__ import annotations

import random
import socket

# Below the range from which kernels hand out client ports (32768 and up on Linux, 49152 on macOS), so that
# no connection takes a port between the look and the server's bind; also after 10,000 is added for gRPC.
FIRST, LAST = 11_000, 22_700
GRPC_OFFSET = 10_000


def free_ports(count: int) -> list[int]:
    """Choose `count` different ports that are free, each together with the port 10,000 above it.

    Another process may still take one before the server does: a start that fails is tried again with others.
    """
    found: list[int] = []
    for port in random.sample(range(FIRST, LAST), LAST - FIRST):
        if _is_free(port) and _is_free(port + GRPC_OFFSET):
            found.append(port)
            if len(found) == count:
                return found
    raise RuntimeError(f"no {count} free ports between {FIRST} and {LAST}")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("", port))  # all addresses: a server bound to any one of them is in the way
        except OSError:
            return False
        return True
