"""What the tests of deploy/local/cluster share: a copy of a cluster, and directories in which none is left behind."""
import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LAUNCHER = os.path.join(ROOT, 'deploy', 'local', 'cluster')
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(LAUNCHER))  # for the tests that look at the launcher's parts

COMMAND_LIMIT_S = 600  # a first start fetches the services
NOT_UP = 3


def wait_for(what, check, seconds=60):
    end = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < end, f'{what}: not within {seconds} s'
        time.sleep(0.05)


def processes_of(directory):
    """The pids whose command line names the directory."""
    found = []
    for pid in filter(str.isdigit, os.listdir('/proc')):
        with contextlib.suppress(OSError), open(f'/proc/{pid}/cmdline', 'rb') as file:
            if directory.encode() + b'/' in file.read():
                found.append(int(pid))
    return found


def ping(port):
    """What Redis says to PING within a second; b'' if nothing."""
    try:
        with socket.create_connection(('127.0.0.1', port), 1) as connection:
            connection.sendall(b'PING\r\n')
            return connection.recv(64)
    except OSError:
        return b''


class Copy:
    """One cluster directory."""

    def __init__(self, root, name):
        self.directory = os.path.join(root, name)

    def run(self, *arguments, environment=None, limit=COMMAND_LIMIT_S):
        """(exit code, standard output, standard error)"""
        done = subprocess.run([sys.executable, LAUNCHER, '--dir', self.directory, *arguments], capture_output=True,
                              text=True, timeout=limit, env={**os.environ, **(environment or {})}, check=False)
        return done.returncode, done.stdout, done.stderr

    def must(self, *arguments):
        code, out, error = self.run(*arguments)
        assert code == 0, f'{arguments}: exit code {code}\n{out}{error}'
        return out

    def status(self):
        """{name: row}"""
        code, out, _ = self.run('status', '--json')
        rows = {row['name']: row for row in json.loads(out)}
        assert (code == 0) == all(row['state'] == 'answers' for row in rows.values()), (code, out)
        return rows

    def environment(self):
        return dict(line.split('=', 1) for line in self.must('env').splitlines())

    def record_path(self, name):
        return os.path.join(self.directory, name, 'process.json')


class Directory(unittest.TestCase):
    """A temporary directory, in which no cluster is left at the end."""

    @classmethod
    def setUpClass(cls):
        cls.root = tempfile.mkdtemp(prefix='orderly-launcher-')
        cls.addClassCleanup(cls.clean)

    @classmethod
    def clean(cls):
        for name in os.listdir(cls.root):
            Copy(cls.root, name).run('wipe')
        left = processes_of(cls.root)
        shutil.rmtree(cls.root)
        assert not left, f'processes left: {left}'

    def fails(self, copy, *arguments, saying, code=1, environment=None):
        got, _, error = copy.run(*arguments, environment=environment)
        self.assertEqual(got, code, error)
        for text in saying:
            self.assertIn(text, error)
