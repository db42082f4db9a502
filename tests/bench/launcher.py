"""Runs the commands in its second argument, each piped into the next, and writes what they took, as JSON, to the descriptor
in its first.

A process of its own, since the peak memory of a child is never below that of the process which forks it: this one imports
next to nothing. Start it with `python -I -S`.
"""

import json
import os
import signal
import sys
import time

# Python ignores it, and what is ignored stays so in children: a pipeline would not end as it does in a shell.
IGNORED = [signal.SIGPIPE]


def main() -> None:
    """Run, wait, report."""
    report, commands = int(sys.argv[1]), json.loads(sys.argv[2])
    os.set_inheritable(report, False)
    begin = time.monotonic()
    pids = start(commands)
    took = [wait(pid) for pid in pids]
    end = time.monotonic()
    os.write(report, json.dumps({"begin": begin, "end": end, "commands": took}).encode())


def start(commands: list[list[str]]) -> list[int]:
    """Start them, the first with the stdin of this process and the last with its stdout."""
    pids = []
    source = None
    for position, command in enumerate(commands):
        to_read, to_write = (None, None) if position == len(commands) - 1 else os.pipe()
        ends = [(source, 0), (to_write, 1)]
        actions = [(os.POSIX_SPAWN_DUP2, mine, its) for mine, its in ends if mine is not None]
        pids.append(os.posix_spawn(command[0], command, os.environ, file_actions=actions, setsigdef=IGNORED))
        for mine, _ in ends:
            if mine is not None:
                os.close(mine)
        source = to_read
    return pids


def wait(pid: int) -> dict[str, float]:
    """Wait for one of them."""
    _, status, used = os.wait4(pid, 0)
    return {
        "cpu_s": used.ru_utime + used.ru_stime,
        # getrusage(2): bytes on macOS, KiB elsewhere
        "peak_rss_bytes": used.ru_maxrss * (1 if sys.platform == "darwin" else 1024),
        "code": os.waitstatus_to_exitcode(status),
    }


if __name__ == "__main__":
    main()
