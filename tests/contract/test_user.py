"""The user as age plugins meet them: nobody, a fake, and the one at the terminal, seen here where there is none."""

from __future__ import annotations

import subprocess
import sys

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
