"""Runs a use case to its end: signals in, exit code out, never a traceback."""

import gc
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, NoReturn

from s3duct.app.cli import terminal
from s3duct.app.cli.console import report, say
from s3duct.domain.errors import ExitCode, Interrupted, LocalResourceError, S3ductError, SinkClosed

if TYPE_CHECKING:
    from s3duct.app.api import StopRequest

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# What CPython says, with no class of its own.
_NO_THREAD = "can't start new thread"


def run(work: Callable[["StopRequest"], Coroutine[Any, Any, int]]) -> int:
    """Run `work` on an event loop and return its exit code.

    The first SIGINT, SIGTERM or SIGHUP asks it to stop with what is done kept; the second one ends the process at once.
    SIGHUP stays ignored if it was (nohup).
    """
    import asyncio

    from s3duct.app.api import StopRequest

    gc.enable()
    if signal.getsignal(signal.SIGCHLD) == signal.SIG_IGN:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # exit statuses of children would be lost

    async def with_signals() -> int:
        stop = StopRequest()
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            if number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN:
                continue
            loop.add_signal_handler(number, _on_signal, number, stop)
        return await work(stop)

    return guarded(lambda: asyncio.run(with_signals()))


def leave(code: int) -> NoReturn:
    """End the process at once, without tearing the interpreter down.

    obstore's threads may still be handing over a last result; one that asks for the interpreter while it is being torn down
    makes the process abort (seen a few times in a hundred). A thread that hangs in a read or write must not hold up the end
    either.
    """
    try:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:  # closed when the process began
                stream.flush()
    except (OSError, ValueError):
        code = code or ExitCode.SIGPIPE
    terminal.restore()
    os._exit(code)


def guarded(call: Callable[[], int]) -> int:
    """Run `call`; turn whatever it raises into one line on stderr and an exit code."""
    try:
        return call()
    except SinkClosed as error:
        return error.exit_code
    except Interrupted as error:
        report(error)
        return 128 + error.signal_number
    except S3ductError as error:
        report(error)
        return error.exit_code
    except KeyboardInterrupt:
        return ExitCode.SIGINT
    except BrokenPipeError:
        return ExitCode.SIGPIPE
    except Exception as error:  # noqa: BLE001 - the last resort: no memory, or a bug, told in one line
        return _report_unexpected(error)


def _report_unexpected(error: Exception) -> int:
    if isinstance(error, MemoryError):
        return _report_exhausted("no memory is left")
    if isinstance(error, RuntimeError) and str(error) == _NO_THREAD:
        return _report_exhausted("no thread can be started: no memory is left, or there are too many")
    return _report_bug(error)


def _report_exhausted(message: str) -> int:
    exhausted = LocalResourceError(message, hint="lower --memory-limit, --buffer-chunks or --chunk-size")
    report(exhausted)
    return exhausted.exit_code


def _on_signal(number: int, stop: "StopRequest") -> None:
    from s3duct.app.api import halt_plugins

    if stop.is_set:
        stop.leave_now()
        terminal.restore()
        os._exit(128 + number)
    stop.set(number)
    halt_plugins()
    say(f"stopping ({signal.Signals(number).name}); once more ends it at once")


def _report_bug(error: Exception) -> int:
    if os.environ.get("S3DUCT_TRACEBACK"):
        import traceback

        traceback.print_exception(error)
    say(f"error: internal error: {type(error).__name__}: {error}")
    say("hint: this is a bug; S3DUCT_TRACEBACK=1 shows where, please report it")
    return ExitCode.INTERNAL
