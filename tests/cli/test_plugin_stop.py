"""A plugin that waits for a human, or hangs, does not hold up the end."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.support.age_plugin import InstalledPlugin
from tests.support.command import Running, until


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_one_signal_ends_a_put_whose_plugin_hangs_and_the_plugin(
    tmp_path: Path, number: signal.Signals
) -> None:
    plugin = InstalledPlugin(tmp_path, "hang")
    pid_file = tmp_path / "pid"
    plugin.path.write_text(
        f"#!/bin/sh\necho $$ > {pid_file}.new && mv {pid_file}.new {pid_file}\nexec sleep 1000\n"
    )
    plugin.path.chmod(0o755)
    arguments = (
        "put",
        "--bucket",
        f"file://{tmp_path}/bucket",
        "--name",
        "s",
        "--age-recipient",
        plugin.recipient,
    )
    environment = {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    with Running(arguments, stdin=b"content", environment=environment) as running:
        until(pid_file.exists, "the plugin runs")
        outcome = running.send(number)
    assert outcome.code == 128 + number
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid_file.read_text()), 0)
