"""The command `s3duct`."""

import gc
import signal


def main() -> None:
    """Run the command. Until it is loaded, Ctrl-C just ends the process: Python would show where it was."""
    gc.disable()  # what is being loaded stays, and looking for garbage in it costs a twentieth; on again in `running.run`
    found = signal.getsignal(signal.SIGINT)
    if found is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from s3duct.app.cli.command_line import run_and_leave

    signal.signal(signal.SIGINT, found)
    run_and_leave()
