"""The command line as a whole: parsed, run, and left with an exit code."""

import re
import sys
from collections.abc import Sequence
from typing import NoReturn

from cyclopts import App, CycloptsError
from cyclopts.config import Env

from s3duct.app.cli import pipe, running
from s3duct.app.cli.commands import COMMANDS, register
from s3duct.app.cli.console import take_any_character
from s3duct.domain.errors import ExitCode, UsageError

# A space too many makes a key a word of its own, which cyclopts would repeat.
_KEY_TEXT = re.compile(r"[0-9a-f]{64,}|AGE-SECRET-KEY-\w*", re.IGNORECASE)
# Not one of the flags that cyclopts knows: without --version, --verbose belongs to the commands.
_ALL_ABOUT_IT = ({"--version", "--verbose"}, {"--version", "-v"})


def build(arguments: Sequence[str]) -> App:
    """Build the command line for `arguments`: flags first, then the environment (`S3DUCT_` and the flag's name)."""
    app = App(
        name="s3duct",
        help="Chunked, resumable, encrypted pipe to S3-compatible object storage.",
        version=_version,
        config=Env("S3DUCT_", command=False),
        help_format="plaintext",
    )
    register(app, arguments)
    return app


def _version() -> str:
    from s3duct.app.settings import tool_version

    return tool_version()


def run_and_leave() -> NoReturn:
    """Run the command line; exits with one of `s3duct.domain.errors.ExitCode`."""
    pipe.occupy_closed()
    take_any_character()
    code = running.guarded(lambda: _call(sys.argv[1:]))
    running.leave(code)


def _call(arguments: list[str]) -> int:
    """Run one command line and return its exit code.

    The first `--` ends it. What is behind is the command to run, and nobody here reads its flags.

    Raises:
        UsageError: it cannot be parsed.
        S3ductError: as the command raises it.
    """
    own, dashes, command = _cut(arguments)
    if set(own) in _ALL_ABOUT_IT:
        from s3duct.app.cli.versions import show_versions

        show_versions()
        return ExitCode.OK
    try:
        run_command, bound, unparsed = build(own).parse_args(own, exit_on_error=False, print_error=False)
    except CycloptsError as error:
        text = _KEY_TEXT.sub("(a key)", " ".join(str(error).split()))
        raise UsageError(text[:1].lower() + text[1:].rstrip("."), hint=_help_hint(own)) from None
    keywords: dict[str, object] = {}
    if dashes:
        if "command" not in unparsed:
            raise UsageError("only put and get run what stands behind --", hint="see s3duct --help")
        if not command:
            raise UsageError("no command behind --", hint="write it there, like: -- pg_dump mydb")
        keywords["command"] = tuple(command)
    result = run_command(*bound.args, **bound.kwargs, **keywords)
    return result if isinstance(result, int) else 0


def _help_hint(arguments: list[str]) -> str:
    command = arguments[0] if arguments and not arguments[0].startswith("-") else ""
    return f"see s3duct {command} --help" if command in COMMANDS else "see s3duct --help"


def _cut(arguments: list[str]) -> tuple[list[str], bool, list[str]]:
    if "--" not in arguments:
        return arguments, False, []
    at = arguments.index("--")
    return arguments[:at], True, arguments[at + 1 :]
