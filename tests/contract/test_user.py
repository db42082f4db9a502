"""The user as age plugins meet them: nobody, a fake, and the one at the terminal, seen here where there is none."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import termios

import pytest

from s3duct.adapters.age.plugin_user import NOBODY
from s3duct.domain.ports.user import User
from tests.fakes.user import FakeUser

# A session of its own has no controlling terminal; its standard input must not be asked in its place.
_WITHOUT_A_TERMINAL = """
from s3duct.app.cli.terminal import TerminalUser
user = TerminalUser()
print(user.ask("PIN", secret=True), user.ask("name", secret=False), user.confirm("?", yes="a", no=None), input())
"""
# Opened first in a session of its own, a terminal becomes the controlling one.
_AT_A_TERMINAL = """
import os, sys, threading
from s3duct.app.cli import running
from s3duct.app.cli.terminal import TerminalUser
os.open(sys.argv[1], os.O_RDWR)
def ask():
    print(TerminalUser().ask("PIN", secret=True), flush=True)
    asked.set()
asked = threading.Event()
threading.Thread(target=ask, daemon=True).start()
if sys.argv[2] == "wait":
    asked.wait()
else:
    input()
running.leave(0)
"""


@pytest.mark.parametrize(
    ("user", "seen"), [(NOBODY, False), (FakeUser(answer="1234", choice=True), True)], ids=["nobody", "fake"]
)
def test_a_user_answers_or_is_not_there(user: User, seen: bool) -> None:
    assert user.say("touch your key") is seen
    assert user.ask("PIN", secret=True) == ("1234" if seen else None)
    assert user.confirm("which?", yes="this", no=None) is (True if seen else None)


def test_without_a_terminal_nobody_answers_and_standard_input_is_left_alone() -> None:
    process = subprocess.run(
        [sys.executable, "-c", _WITHOUT_A_TERMINAL],
        input="data\n",
        capture_output=True,
        text=True,
        start_new_session=True,
        check=True,
    )
    assert process.stdout == "None None None data\n"


class _Asked:
    """A process that asks for a secret at a terminal of its own, and has written its prompt."""

    def __init__(self, what: str) -> None:
        self.master, self.slave = pty.openpty()
        name = os.ttyname(self.slave)
        self.process = subprocess.Popen(
            [sys.executable, "-c", _AT_A_TERMINAL, name, what],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        shown = b""
        while b"PIN: " not in shown:
            assert select.select([self.master], [], [], 60)[0], "it asks"
            shown += os.read(self.master, 1024)

    @property
    def echoes(self) -> bool:
        return bool(termios.tcgetattr(self.slave)[3] & termios.ECHO)

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()
        os.close(self.master)
        os.close(self.slave)


@pytest.mark.parametrize(("typed", "answer"), [(b"1234\n", b"1234"), (b"\xe4\n", b"None")])
def test_a_secret_is_typed_without_echo(typed: bytes, answer: bytes) -> None:
    """What is no UTF-8 is no answer."""
    asked = _Asked("wait")
    try:
        assert not asked.echoes
        os.write(asked.master, typed)
        stdout, _ = asked.process.communicate(timeout=60)
        assert (stdout.strip(), asked.process.returncode, asked.echoes) == (answer, 0, True)
    finally:
        asked.close()


def test_a_process_that_ends_while_it_asks_leaves_the_terminal_as_it_was() -> None:
    asked = _Asked("leave")
    try:
        asked.process.communicate(b"\n", timeout=60)
        assert asked.echoes
    finally:
        asked.close()
