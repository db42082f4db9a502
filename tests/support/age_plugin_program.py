"""An age plugin, as a program: `tests.support.age_plugin` installs copies of it, each with settings of its own.

It wraps with a key that recipient and identity both carry, and is written against the specification alone. It imports
nothing of s3duct, and nothing that is slow to import.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any, NamedTuple

PROGRAM = Path(sys.argv[0])
ALPHABET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
CHECKSUM_CHARACTERS = 6


class Command(NamedTuple):
    kind: str
    arguments: list[str]
    body: bytes


def decode64(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)


def encode64(data: bytes) -> str:
    return base64.b64encode(data).decode().rstrip("=")


def key_of(text: str) -> bytes:
    """The data of a recipient or identity; its checksum is the client's business."""
    words = text.lower().rpartition("1")[2][:-CHECKSUM_CHARACTERS]
    bits = "".join(f"{ALPHABET.index(word):05b}" for word in words)
    return bytes(int(bits[at : at + 8], 2) for at in range(0, len(bits) - 7, 8))


def receive() -> Command:
    first = sys.stdin.readline()
    if not first:
        sys.exit(0)  # the client has gone
    if not first.startswith("-> "):
        sys.exit(f"not a stanza: {first!r}")
    kind, *arguments = first[3:-1].split(" ")
    body = ""
    while True:
        line = sys.stdin.readline()
        body += line[:-1]
        if len(line) < 65:
            return Command(kind, arguments, decode64(body))


def send(raw: str) -> None:
    sys.stdout.write(raw)
    sys.stdout.flush()


def stanza(kind: str, *arguments: str, body: bytes = b"") -> str:
    text = encode64(body)
    lines = [text[at : at + 64] for at in range(0, len(text) + 1, 64)]
    return "\n".join([" ".join(["->", kind, *arguments]), *lines, ""])


def mask(key: bytes, salt: str) -> bytes:
    return hashlib.sha256(key + salt.encode()).digest()[:16]


def wrap(key: bytes, file_key: bytes, salt: str) -> bytes:
    hidden = bytes(left ^ right for left, right in zip(file_key, mask(key, salt), strict=True))
    return hidden + hmac.digest(key, hidden, "sha256")[:16]


def unwrap(key: bytes, body: bytes, salt: str) -> bytes | None:
    hidden, tag = body[:16], body[16:]
    if not hmac.compare_digest(hmac.digest(key, hidden, "sha256")[:16], tag):
        return None
    return bytes(left ^ right for left, right in zip(hidden, mask(key, salt), strict=True))


def note(**facts: Any) -> None:
    with Path(f"{PROGRAM}.log").open("a") as log:
        log.write(json.dumps(facts) + "\n")


def results(machine: str, commands: list[Command], settings: dict[str, Any]) -> list[str]:
    keys = [key_of(each.arguments[0]) for each in commands if each.kind.startswith("add-")]
    if machine == "recipient-v1":
        asked_for_labels = any(each.kind == "extension-labels" for each in commands)
        (file_key,) = [each.body for each in commands if each.kind == "wrap-file-key"]
        labels = [stanza("labels", *settings["labels"])] if asked_for_labels and settings["labels"] else []
        salts = [(key, os.urandom(settings["salt_bytes"]).hex()) for key in keys * settings["stanzas"]]
        return labels + [
            stanza("recipient-stanza", "0", settings["kind"], salt, body=wrap(key, file_key, salt))
            for key, salt in salts
        ]
    for each in commands:
        if each.kind == "recipient-stanza" and each.arguments[1] == settings["kind"]:
            for key in keys:
                file_key = unwrap(key, each.body, each.arguments[2]) or b""
                if file_key:
                    return [stanza("file-key", each.arguments[0], body=file_key)]
    return []


def main() -> None:
    settings = json.loads(Path(f"{PROGRAM}.json").read_text())
    machine = sys.argv[1].removeprefix("--age-plugin=")
    if settings["status"] is not None:
        print("it has no key", file=sys.stderr)
        sys.exit(settings["status"])
    commands = []
    while (command := receive()).kind != "done":
        commands.append(command)
    note(
        machine=machine,
        commands=[[command.kind, *command.arguments] for command in commands],
        process=os.getpid(),
        folder=str(Path.cwd()),
        descriptors=sorted(int(entry.name) for entry in Path("/dev/fd").iterdir()),
        environment=sorted(os.environ),
    )
    if settings["ends"] == "before":
        sys.exit(3)
    if settings["ends"] in ("unhurried", "never"):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    for raw in settings["says"]:
        send(raw)
        answer = receive()
        note(answer=[answer.kind, *answer.arguments], body=answer.body.decode("utf-8", "replace"))
    for raw in results(machine, commands, settings):
        send(raw)
        receive()
    if settings["ends"] == "after":
        sys.exit(3)
    send(stanza("done"))
    if settings["ends"] == "never":
        while True:
            signal.pause()


if __name__ == "__main__":
    main()
