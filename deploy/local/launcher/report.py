"""How the launcher talks: progress on standard error, and failures that say what to do."""
import sys

EXIT_FAILED = 1
EXIT_NOT_UP = 3


class Failure(Exception):
    """Ends the command: the message goes to standard error, the code is the launcher's exit code."""

    def __init__(self, message, exit_code=EXIT_FAILED):
        super().__init__(message)
        self.exit_code = exit_code


def say(message):
    # One write, so that the lines of nodes that start side by side do not mix.
    sys.stderr.write(f'cluster: {message}\n')
    sys.stderr.flush()
