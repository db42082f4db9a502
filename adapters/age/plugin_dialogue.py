"""The second phase of both state machines: the plugin leads, and may ask for the user (c2sp.org/age-plugin)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from s3duct.adapters.age.header import Stanza
from s3duct.adapters.age.plugin_process import PluginProcess
from s3duct.adapters.age.plugin_user import printable
from s3duct.adapters.age.primitives import decode_base64
from s3duct.domain.ports.user import User


class Handler(Protocol):
    """Takes a result from a plugin."""

    def __call__(self, command: Stanza) -> None:
        """Raises `ValueError`, with what is wrong about it, if it is none."""


def follow(process: PluginProcess, user: User, results: Mapping[str, Handler]) -> None:
    """Answer the plugin until it is done.

    Args:
        process: its first phase is over.
        user: whom to turn to for what it wants to say or know.
        results: what takes the results, by command.

    Raises:
        KeyUnavailable: it reports an error, ends early or does not keep to the protocol.
    """
    while (command := process.receive()).kind != "done":
        if command.kind == "error":
            process.send("ok")
            raise process.failure(f"failed: {process.shown(command.body) or 'it does not say why'}")
        if command.kind in results:
            try:
                results[command.kind](command)
            except ValueError as error:
                raise process.failure(f"gave an answer that is none: {error}") from error
            process.send("ok")
        else:
            _answer(process, user, command)


def _answer(process: PluginProcess, user: User, command: Stanza) -> None:
    text = f"{process.binary}: {process.shown(command.body)}"
    match command.kind:
        case "msg":
            process.send("ok" if user.say(text) else "fail")
        case "request-public" | "request-secret":
            secret = command.kind == "request-secret"
            answer = user.ask(text, secret=secret)
            if answer is None:
                process.send("fail")
                return
            if secret:
                process.keep_secret(answer)
            process.send("ok", body=answer.encode("utf-8", "surrogateescape"))
        case "confirm":
            yes, no = _choices(process, command)
            chosen = user.confirm(text, yes=yes, no=no)
            process.send(*(("fail",) if chosen is None else ("ok", "yes" if chosen else "no")))
        case _:  # of a later version of the protocol, or noise that keeps it open to one ("grease")
            process.send("unsupported")


def _choices(process: PluginProcess, command: Stanza) -> tuple[str, str | None]:
    choices = [decode_base64(argument) for argument in command.arguments]
    match [choice for choice in choices if choice is not None]:
        case [yes] if len(choices) == 1:
            return printable(yes), None
        case [yes, no] if len(choices) == 2:
            return printable(yes), printable(no)
    raise process.failure("asks for a confirmation without choices")
