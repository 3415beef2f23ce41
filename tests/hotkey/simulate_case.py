"""What the tests of `orderly simulate` share: Redis servers of their own, runs with their output, and servers that misbehave."""
import json
import os
import re
import shutil
import signal
import socket
import socketserver
import subprocess
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
from orderly import BINARY, SLOW, clean_environment, free_port, wait_for  # noqa: E402

LIMIT = 120 * SLOW  # of a whole run, as a bound


class Redis:
    """A redis-server of the test's own, keeping nothing."""

    def __init__(self, *arguments):
        self.port, self.arguments = free_port(), arguments
        self.start()

    def start(self):
        self.process = subprocess.Popen(['redis-server', '--port', str(self.port), '--bind', '127.0.0.1', '--save', '', '--appendonly',
                                         'no', *self.arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd='/')
        wait_for('Redis to answer', lambda: self.send(b'PING\r\n')[:1] in (b'+', b'-'))

    def send(self, line):
        try:
            with socket.create_connection(('127.0.0.1', self.port), 5 * SLOW) as connection:
                connection.sendall(line)
                return connection.recv(65536)
        except OSError:
            return b''

    def keys(self):
        """The names of all keys."""
        out = subprocess.run(['redis-cli', '-p', str(self.port), '--raw', 'keys', '*'], capture_output=True, text=True, check=True).stdout
        return out.split()

    def command(self, *words):
        return subprocess.run(['redis-cli', '-p', str(self.port), '--raw', *words], capture_output=True, text=True, check=True).stdout.strip()

    def signal(self, number):
        self.process.send_signal(number)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()


class Answering(socketserver.BaseRequestHandler):
    def handle(self):
        try:
            while data := self.request.recv(65536):
                for _ in range(self.server.commands_in(data)):
                    if self.server.answer:
                        self.request.sendall(self.server.answer)
        except OSError:
            pass


class OddServer(socketserver.ThreadingTCPServer):
    """Accepts, and gives the same answer to every command; None: none."""
    allow_reuse_address = daemon_threads = True

    def __init__(self, answer):
        super().__init__(('127.0.0.1', 0), Answering)
        self.answer, self.port = answer, self.server_address[1]
        self.thread = threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True)
        self.thread.start()

    def commands_in(self, data):
        return len(re.findall(rb'\*\d+\r\n', data))

    def handle_error(self, request, client_address):
        pass

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()


class Run:
    """`orderly simulate` under way: its standard error as lines, its standard output at the end."""

    def __init__(self, case, *arguments, environment=None, stdin=None):
        self.process = subprocess.Popen([BINARY, 'simulate', *arguments], stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                        cwd=case.directory, env={**clean_environment(), 'ORDERLY_DATA_DIR': os.path.join(case.directory, 'data'),
                                                                 'TMPDIR': case.tmp, **(environment or {})})
        self.lines, self.out = [], []
        self.readers = [threading.Thread(target=self.read, args=(self.process.stderr, self.lines), daemon=True),
                        threading.Thread(target=self.read, args=(self.process.stdout, self.out), daemon=True)]
        for reader in self.readers:
            reader.start()
        case.addCleanup(self.end)

    def read(self, stream, lines):
        for line in stream:
            lines.append(line)

    def ticks(self):
        return [line for line in self.lines if re.match(r'\s+\d+ s ', line)]

    def wait_for_ticks(self, count):
        wait_for(f'{count} seconds', lambda: len(self.ticks()) >= count or self.process.poll() is not None, 60)

    def wait_for_line(self, text):
        wait_for(f'"{text}"', lambda: any(text in line for line in self.lines) or self.process.poll() is not None, 60)

    def private_server(self):
        """The pid of the server it has started."""
        out = subprocess.run(['pgrep', '-P', str(self.process.pid)], capture_output=True, text=True).stdout.split()
        return int(out[0]) if out else None

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self):
        code = self.process.wait(LIMIT)
        for reader in self.readers:
            reader.join(10 * SLOW)
        return code

    def result(self):
        return json.loads(''.join(self.out))

    def error(self):
        return ''.join(self.lines)

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
        self.wait()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream:
                stream.close()


def is_alive(pid):
    try:
        with open(f'/proc/{pid}/stat') as file:
            return file.read().rsplit(')', 1)[1].split()[0] != 'Z'
    except OSError:
        return False


@unittest.skipUnless(shutil.which('redis-server') and shutil.which('redis-cli'), 'no Redis here')
class Case(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix='orderly-test-')
        self.addCleanup(shutil.rmtree, self.directory, True)
        self.tmp = os.path.join(self.directory, 'tmp')
        os.mkdir(self.tmp)

    def start(self, *arguments, redis=None, **more):
        if redis:
            more['environment'] = {'ORDERLY_LAB_REDIS': f'127.0.0.1:{redis.port}', **more.get('environment', {})}
        return Run(self, *arguments, **more)

    def finish(self, *arguments, code=0, **more):
        run = self.start(*arguments, **more)
        self.assertEqual(run.wait(), code, run.error())
        return run

    def assert_nothing_left(self):
        self.assertEqual(os.listdir(self.tmp), [])

    def assert_books_balance(self, result):
        for name in ('hot', 'normal'):
            counts = result['totals'][name]
            self.assertEqual(counts['offered'], counts['sent'] + counts['dropped'])
            self.assertEqual(counts['sent'], counts['completed'] + counts['failed'])


__all__ = ['BINARY', 'SLOW', 'Case', 'OddServer', 'Redis', 'Run', 'clean_environment', 'is_alive', 'json', 'os', 'signal', 'subprocess', 'time',
           'unittest', 'wait_for']
