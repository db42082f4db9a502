"""The commands, each in a module of its own that is imported when it is the one to run (ADR 0022)."""

from collections.abc import Sequence
from importlib import import_module
from typing import Any

from cyclopts import App

COMMANDS: dict[str, tuple[str, dict[str, Any]]] = {
    "put": ("put:put", {"usage": "Usage: s3duct put --bucket BUCKET --name NAME [OPTIONS] [-- COMMAND]"}),
    "get": ("get:get", {"usage": "Usage: s3duct get --bucket BUCKET --name NAME [OPTIONS] [-- COMMAND]"}),
    "list": ("list:list_", {}),
    "verify": ("verify:verify", {}),
    "keygen": ("keygen:keygen", {}),
}


def register(app: App, arguments: Sequence[str]) -> None:
    """Add all commands to the app.

    If the command line begins with one of them, the others are only named: cyclopts would import them if it needed them.
    Otherwise all are imported, since help shows a line of each, and cyclopts has none of a command that is only named.
    """
    named = arguments[0] if arguments else ""
    for name, (place, options) in COMMANDS.items():
        path = f"{__name__}.{place}"
        if named in COMMANDS and name != named:
            app.command(path, name=name, **options)
        else:
            module, _, function = path.partition(":")
            app.command(getattr(import_module(module), function), name=name, **options)
    if named not in COMMANDS:
        app.register_install_completion_command(name="completion", add_to_startup=False)
