"""A service's process: detached from the launcher, and known again later by more than its number."""
import json
import os
import signal
import subprocess
import time

from .directory import write_whole
from .report import Failure

STOP_LIMIT_S = 30  # a clean end that takes longer is not waited for
KILL_LIMIT_S = 30
POLL_S = 0.02


def _read(path):
    try:
        with open(path, 'rb') as file:
            return file.read()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return b''


def _boot_id():
    return _read('/proc/sys/kernel/random/boot_id').decode().strip()


def _stat(pid):
    """The fields of /proc/PID/stat from the state on (the name before it may hold anything), or []."""
    return _read(f'/proc/{pid}/stat').rpartition(b') ')[2].split()


def _start_ticks(pid):
    fields = _stat(pid)
    return int(fields[19]) if len(fields) > 19 else None


class Process:
    """One process, as recorded in a file. Pids are used again: it is ours only if the boot, the start time and the
    command line (it holds `marker`) are those of the one we started."""

    def __init__(self, record_path, marker):
        self.record_path = record_path
        self.marker = marker.encode()

    def pid(self):
        """The pid if it runs, else None. A process that is dying still counts: it may hold ports and files."""
        try:
            record = json.loads(_read(self.record_path))
            pid = record['pid']
            known = record['boot'] == _boot_id() and record['start_ticks'] == _start_ticks(pid)
        except (ValueError, KeyError, TypeError):
            return None
        if not known or self._ended(pid):
            return None
        command_line = _read(f'/proc/{pid}/cmdline')
        # Empty: killed, and its memory is already gone.
        return pid if not command_line or self.marker in command_line else None

    def wait_if_dying(self):
        pid = self.pid()
        if pid and not _read(f'/proc/{pid}/cmdline') and not self.wait_until_ended(KILL_LIMIT_S):
            raise Failure(f'process {pid} does not end')

    @staticmethod
    def _ended(pid):
        """A zombie whose other threads still end holds its ports until the last one is gone."""
        fields = _stat(pid)
        if not fields:
            return True
        return fields[0] in (b'Z', b'X') and int(fields[17]) <= 1

    def frozen(self):
        pid = self.pid()
        return bool(pid) and _stat(pid)[:1] == [b'T']

    def rss_mib(self):
        fields = _stat(self.pid() or 0)
        return int(fields[21]) * os.sysconf('SC_PAGE_SIZE') // 2**20 if len(fields) > 21 else 0

    def spawn(self, command, directory, log_path, environment):
        """Starts it in a session of its own, so that neither the launcher's end nor its terminal's Ctrl-C ends it."""
        with open(log_path, 'ab') as log:
            child = subprocess.Popen(command, cwd=directory, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                     start_new_session=True, env=environment)
        record = {'pid': child.pid, 'start_ticks': _start_ticks(child.pid), 'boot': _boot_id()}
        write_whole(self.record_path, json.dumps(record) + '\n')
        child.returncode = 0  # nobody waits for it: it outlives the launcher
        return child.pid

    def send(self, number):
        """Returns the pid that got the signal, or None if it does not run."""
        pid = self.pid()
        if not pid:
            return None
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return None
        return pid

    def wait_until_ended(self, limit_s):
        """True if it ended in time."""
        end = time.monotonic() + limit_s
        while self.pid():
            if time.monotonic() > end:
                return False
            time.sleep(POLL_S)
        return True

    def stop(self):
        """SIGTERM and wait; SIGKILL after the limit. Returns whether it ended by itself."""
        if self.send(signal.SIGTERM):
            self.send(signal.SIGCONT)  # a frozen one would not see it
            if not self.wait_until_ended(STOP_LIMIT_S):
                self.kill()
                return False
        return True

    def kill(self):
        pid = self.send(signal.SIGKILL)
        if pid and not self.wait_until_ended(KILL_LIMIT_S):
            raise Failure(f'process {pid} still runs {KILL_LIMIT_S} s after SIGKILL')
