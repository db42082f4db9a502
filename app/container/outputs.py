"""From a path to an output: a file is written beside its place first, anything else as it comes."""

from __future__ import annotations

import stat
from pathlib import Path

from s3duct.adapters.output_straight import ConsumerOutput, DeviceOutput, SinkOutput
from s3duct.adapters.pipe_ends import DescriptorSink
from s3duct.domain.ports.output import Output
from s3duct.domain.ports.pipe import Sink
from s3duct.domain.ports.process import Consumer


def make_output(path: Path, *, replace: bool) -> Output:
    """Return the output at `path`; `replace` allows to take the place of a regular file."""
    if _takes_bytes_as_they_come(path):
        return DeviceOutput(path, DescriptorSink)
    from s3duct.adapters.output_file import FileOutput

    return FileOutput(path, replace=replace)


def make_sink_output(sink: Sink) -> Output:
    """Return an output over a sink; one that is a program is started and ended with the get."""
    return ConsumerOutput(sink) if isinstance(sink, Consumer) else SinkOutput(sink)


def _takes_bytes_as_they_come(path: Path) -> bool:
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return False  # the output will say what is wrong, if anything is
    return stat.S_ISCHR(mode) or stat.S_ISBLK(mode) or stat.S_ISFIFO(mode)
