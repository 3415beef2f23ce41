"""One orderly process (or several on one data directory) for tests: start, wait until it serves, talk, stop, kill."""
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.parse

BINARY = os.path.abspath(os.environ.get('ORDERLY_BINARY', 'build/release/orderly'))
SLOW = 10 if os.environ.get('ORDERLY_SANITIZED') else 1  # sanitizers take their time


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


def wait_for(what, check, seconds=20):
    """Waits until check() is true and returns its value; the time is a bound, not a measure."""
    end = time.monotonic() + seconds * SLOW
    while True:
        value = check()
        if value:
            return value
        assert time.monotonic() < end, f'{what}: not within {seconds * SLOW} s'
        time.sleep(0.01)


def clean_environment():
    """The environment without anybody's settings."""
    return {name: value for name, value in os.environ.items()
            if not name.startswith('ORDERLY_') and name not in ('KAFKA_BOOTSTRAP_SERVERS', 'CASSANDRA_CONTACT_POINTS', 'REDIS_HOST')}


class DataDirectory:
    """A temporary data directory, removed at the end."""

    def __enter__(self):
        self.root = tempfile.mkdtemp(prefix='orderly-test-')
        self.path = os.path.join(self.root, 'data')
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.root, ignore_errors=True)


class Process:
    """`orderly COMMAND` on a data directory; settings are ORDERLY_ names without the prefix, in lower case."""

    def __init__(self, data, command='serve', wait=True, environment=None, preexec=None, arguments=(), **settings):
        self.command, self.port = command, free_port()
        self.log_path = os.path.join(os.path.dirname(data), f'{command}-{self.port}.log')
        self.log_file = open(self.log_path, 'ab')
        own = {'ORDERLY_' + name.upper(): str(value) for name, value in settings.items()}
        own.setdefault('ORDERLY_PORTS', str(self.port))
        self.process = subprocess.Popen([BINARY, command, *arguments], stderr=self.log_file, stdout=self.log_file,
                                        cwd=os.path.dirname(data), preexec_fn=preexec,
                                        env={**clean_environment(), 'ORDERLY_DATA_DIR': data, 'ORDERLY_LOG_FORMAT': 'json', **own,
                                             **(environment or {})})
        if wait:
            self.wait_until_ready()

    def wait_until_ready(self):
        def ready():
            assert self.process.poll() is None, f'{self.command} ended with {self.process.returncode}:\n{self.log()}'
            return '"ready"' in self.log()
        wait_for(f'{self.command} to be ready', ready)

    def log(self):
        with open(self.log_path, errors='replace') as file:
            return file.read()

    def connection(self, timeout=20):
        return http.client.HTTPConnection('127.0.0.1', self.port, timeout=timeout * SLOW)

    def request(self, method, path, body=None, headers=None):
        """Returns (status, headers, body as JSON or text)."""
        connection = self.connection()
        try:
            headers = dict(headers or {})
            if isinstance(body, (dict, list)):
                body = json.dumps(body)
                headers.setdefault('Content-Type', 'application/json')
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            text = answer.read()
            kind = answer.headers.get('Content-Type', '')
            return answer.status, answer.headers, json.loads(text) if 'json' in kind and text else text.decode(errors='replace')
        finally:
            connection.close()

    def get(self, path, headers=None):
        return self.request('GET', path, None, headers)

    def post(self, path, body, headers=None):
        return self.request('POST', path, body, headers)

    def lag(self):
        text = self.get('/metrics')[2]
        values = [float(line.rsplit(' ', 1)[1]) for line in text.splitlines() if line.startswith('orderly_pipeline_lag{')]
        return sum(values) if values and min(values) >= 0 else None  # -1: not assigned yet

    def wait_until_processed(self):
        wait_for('all orders to be processed', lambda: self.lag() == 0, 60)

    def orders(self, **filters):
        """Every order of the list, page by page."""
        path = '/orders?' + urllib.parse.urlencode({'limit': 200, **filters})
        while path:
            status, headers, page = self.get(path)
            assert status == 200, (status, page)
            yield from page
            link = headers.get('Link')
            path = link[link.index('<') + 1:link.index('>')] if link else None

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.log_file.close()

    def stop(self, seconds=30):
        """Ends it as a service manager would, and returns the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(seconds * SLOW)
        except subprocess.TimeoutExpired:
            self.kill()
            raise
        self.log_file.close()
        return code

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.kill()
        self.log_file.close()


def run(data, command, *arguments, **settings):
    """Runs `orderly COMMAND ...` to its end: (exit code, standard output, standard error)."""
    own = {'ORDERLY_' + name.upper(): str(value) for name, value in settings.items()}
    done = subprocess.run([BINARY, command, *arguments], capture_output=True, text=True, timeout=300 * SLOW,
                          cwd=os.path.dirname(data), env={**clean_environment(), 'ORDERLY_DATA_DIR': data, **own})
    return done.returncode, done.stdout, done.stderr


def export(data):
    """The logical dump: every order with its history, as sorted lines."""
    code, out, error = run(data, 'export')
    assert code == 0, error
    return sorted(out.splitlines())
