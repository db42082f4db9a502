"""Runs the command in its arguments, and writes to the descriptor named first what it took, as JSON.

A process of its own, since the peak memory of a child is never below that of the process which forks it: this one imports
next to nothing. Start it with `python -I -S`.
"""

import json
import os
import sys
import time


def main() -> None:
    """Run, wait, report."""
    report, command = int(sys.argv[1]), sys.argv[2:]
    os.set_inheritable(report, False)
    begin = time.perf_counter()
    pid = os.posix_spawn(command[0], command, os.environ)
    _, status, used = os.wait4(pid, 0)
    took = {
        "wall_s": time.perf_counter() - begin,
        "cpu_s": used.ru_utime + used.ru_stime,
        # getrusage(2): bytes on macOS, KiB elsewhere
        "peak_rss_bytes": used.ru_maxrss * (1 if sys.platform == "darwin" else 1024),
        "code": os.waitstatus_to_exitcode(status),
    }
    os.write(report, json.dumps(took).encode())


if __name__ == "__main__":
    main()
