"""A program run by this process: started without a shell, watched, signalled, ended and waited for (ADR 0014)."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

from s3duct.adapters.child_process.latch import Latch, wait_for
from s3duct.domain.errors import UsageError

# How long a program has after SIGTERM, and how long its end is waited for after SIGKILL, which another user's program (sudo)
# does not get and one that hangs in the kernel does not heed.
_AFTER_TERM_S = 5.0
_AFTER_KILL_S = 5.0
_GROUP_POLL_S = 0.02


@dataclass(frozen=True, slots=True)
class Ending:
    """How a program ended: its exit status, or the signal that ended it; neither if that cannot be known."""

    status: int | None
    signal_number: int = 0

    @property
    def well(self) -> bool:
        """Whether it says that all went well."""
        return self.status == 0

    def __str__(self) -> str:
        """For a message, behind the program's name."""
        if self.signal_number:
            with contextlib.suppress(ValueError):
                return f"was ended by {signal.Signals(self.signal_number).name}"
            return f"was ended by signal {self.signal_number}"
        if self.status is None:
            return "ended, but its exit status is lost (the caller of this process ignores SIGCHLD)"
        return f"exited with status {self.status}"


class Child:
    """One program. `ended` is set when it has ended, `abandoned` when nobody waits for its data any more.

    It is not reaped before `end`: until then, its number and that of its process group belong to nobody else.
    """

    def __init__(self, command: Sequence[str]) -> None:
        """Look for the program; start nothing.

        Args:
            command: the program (looked up on PATH) and its arguments.

        Raises:
            UsageError: it is not there, or cannot be executed.
        """
        if not command or not command[0]:
            raise UsageError("no command to run", hint="write it behind --, like: -- pg_dump mydb")
        self.name = os.path.basename(command[0]) or command[0]  # noqa: PTH119 - a name, not a path
        if shutil.which(command[0]) is None:
            raise UsageError(
                f"cannot run {self.name}: there is no such program, or it is not executable",
                hint="what stands behind -- is run without a shell; for pipes and redirections: -- sh -c '...'",
            )
        self._command = list(command)
        self._process: subprocess.Popen[bytes] | None = None
        self._leads_group = False
        self._reaped = self._group_gone = False
        self._lock = threading.Lock()
        self.ended, self.abandoned = Latch(), Latch()
        self.ending = Ending(None)

    @property
    def started(self) -> bool:
        """Whether it was ever started."""
        return self._process is not None

    def start(self, *, stdin: int | None, stdout: int | None) -> subprocess.Popen[bytes]:
        """Start it; None leaves it this process's own stdin or stdout. Raises `UsageError`."""
        # In the foreground of a terminal it stays in this process's group: in another one, it could not ask for a password
        # there. Anywhere else it leads a group, so that whatever it starts is reached with it.
        self._leads_group = not _in_foreground()
        try:
            # It runs before its number is known here: a signal to pass on waits for that.
            with self._lock:
                process = self._process = subprocess.Popen(  # noqa: S603 - what the user wrote, and no shell
                    self._command,
                    bufsize=0,
                    stdin=stdin,
                    stdout=stdout,
                    process_group=0 if self._leads_group else None,
                )
        except (OSError, ValueError) as error:
            reason = (error.strerror if isinstance(error, OSError) else None) or "bad argument"
            raise UsageError(f"cannot run {self.name}: {reason}") from error
        threading.Thread(target=self._watch, args=(process.pid,), name="s3duct-child", daemon=True).start()
        return process

    def pass_on(self, signal_number: int) -> None:
        """Send it a signal. Ctrl-C on a terminal has reached it already."""
        if signal_number == signal.SIGINT and not self._leads_group:
            return
        self._send(signal_number)

    def kill(self) -> None:
        """SIGKILL, to all of its group that is left."""
        self._send(signal.SIGKILL)

    def wait(self) -> Ending | None:
        """Wait for its end; None if it is abandoned first."""
        wait_for(self.ended, self.abandoned)
        return self.ending if self.ended.is_set else None

    def end(self, *, patience_s: float) -> None:
        """Wait for `patience_s`, then SIGTERM, then SIGKILL; return when it has ended, and its group with it."""
        if not self.started:
            return
        if not self._is_gone_within(patience_s):
            self._send(signal.SIGTERM)
            if not self._is_gone_within(_AFTER_TERM_S):
                self.kill()
                self._is_gone_within(_AFTER_KILL_S)
        self.reap()

    def reap(self) -> None:
        """Take note of its end, if it has ended: it is no zombie after that."""
        with self._lock:
            if self._process is not None and self.ended.is_set and not self._reaped:
                self._process.wait()
                self._reaped = True

    def _watch(self, pid: int) -> None:
        try:
            result = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        except ChildProcessError:
            result = None
        if result is None:
            self.ending = Ending(None)
        elif result.si_code == os.CLD_EXITED:
            self.ending = Ending(result.si_status)
        else:
            self.ending = Ending(None, result.si_status)
        self.ended.set()

    def _send(self, number: int) -> None:
        # PermissionError: it runs as somebody else.
        with self._lock, contextlib.suppress(ProcessLookupError, PermissionError):
            if self._process is None or self._group_gone:
                return
            if self._leads_group:
                os.killpg(self._process.pid, number)
            elif not self._reaped:
                os.kill(self._process.pid, number)

    def _is_gone_within(self, patience_s: float) -> bool:
        deadline_s = time.monotonic() + patience_s
        wait_for(self.ended, timeout_s=patience_s)
        if not self.ended.is_set:
            return False
        self.reap()  # a zombie would keep the group
        while not self._is_group_gone():
            if time.monotonic() >= deadline_s:
                return False
            time.sleep(_GROUP_POLL_S)
        return True

    def _is_group_gone(self) -> bool:
        with self._lock:
            if self._process is None or not self._leads_group:
                return True
            if not self._group_gone:
                try:
                    os.killpg(self._process.pid, 0)
                except ProcessLookupError:
                    self._group_gone = True
                except PermissionError:
                    return False
            return self._group_gone


def _in_foreground() -> bool:
    """Whether this process has a terminal and is what it is for at the moment."""
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)
