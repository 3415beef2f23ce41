"""An installation under test: APIs and consumers kept running on the embedded engine or on real services.

A process that was killed is started again at once, as a supervisor would; one that ends by itself is a fault."""
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

import orderly_path  # noqa: F401
import topics
from orderly import BINARY, clean_environment, free_port, wait_for

LAUNCHER = os.path.abspath(os.environ.get('CLUSTER_LAUNCHER', os.path.join(os.path.dirname(__file__), '../../../deploy/local/cluster')))
PARTITIONS = 6
RESTART_PAUSE_S = 0.5
POLL_S = 0.02
CACHE_TTL_S = 2   # short, so that a round is long enough to see what outlives it
SETTINGS = {'ORDERLY_PARTITIONS': str(PARTITIONS), 'ORDERLY_CACHE_TTL': f'{CACHE_TTL_S}s', 'ORDERLY_VERDICT_TIMEOUT': '5s',
            'ORDERLY_LOG_FORMAT': 'json', 'ORDERLY_HTTP_THREADS': '2'}


def run_as_test(main):
    """Runs a test's main; a SIGTERM (of ctest, of an interrupted make) ends it in order, with all that it has started."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit('ended by SIGTERM'))
    sys.exit(main())


class Embedded:
    """One data directory, no services."""
    name, services = 'embedded', ()

    def __init__(self, root):
        self.environment = {'ORDERLY_DATA_DIR': os.path.join(root, 'data')}

    def dump(self, topic, offsets):
        return topics.dump_by_tool(self.environment, topic, offsets)


class Services:
    """`deploy/local/cluster`: real Kafka, Cassandra and Redis in a directory of their own."""

    def __init__(self, directory, nodes):
        self.directory, self.nodes = directory, nodes
        suffixes = [''] + [f'-{number}' for number in range(2, nodes + 1)]
        self.names = [service + suffix for service in ('kafka', 'cassandra') for suffix in suffixes] + ['redis']

    def run(self, *arguments, timeout=600):
        done = subprocess.run([LAUNCHER, '--dir', self.directory, *arguments], capture_output=True, text=True, timeout=timeout)
        assert done.returncode == 0, f'cluster {" ".join(arguments)}:\n{done.stdout}{done.stderr}'
        return done.stdout

    def up(self):
        self.run('up', '--nodes', str(self.nodes), '--free-ports')

    def environment(self):
        return dict(setting.split('=', 1) for setting in shlex.split(self.run('env')))

    def down(self):
        self.run('down')


class Cluster:
    """An installation's share of the services: its namespace."""
    name = 'cluster'

    def __init__(self, services, namespace, root):
        self.services, self.namespace = services, namespace
        self.environment = {**services.environment(), 'ORDERLY_NAMESPACE': namespace, 'ORDERLY_DATA_DIR': os.path.join(root, 'data')}
        self.servers = self.environment['KAFKA_BOOTSTRAP_SERVERS']

    def dump(self, topic, offsets):
        return topics.dump_by_kcat(self.servers, self.namespace + topic, offsets)


class Member:
    """One orderly process and its successors, watched by a thread of its own."""

    def __init__(self, installation, name, command, binary=BINARY, **settings):
        self.installation, self.name, self.command, self.binary = installation, name, command, binary
        self.port = free_port()
        self.environment = {**clean_environment(), **SETTINGS, **installation.engine.environment, 'ORDERLY_PORTS': str(self.port),
                            **{'ORDERLY_' + key.upper(): str(value) for key, value in settings.items()}}
        self.lock = threading.Lock()
        self.process, self.trouble, self.starts, self.ready = None, None, 0, threading.Event()
        self.is_wanted, self.expected_code = True, None
        self.ends = {}   # log path -> wall time at which its process had ended
        self.spawn()
        self.watcher = threading.Thread(target=self.watch, daemon=True)
        self.watcher.start()

    @property
    def log_path(self):
        return os.path.join(self.installation.root, f'{self.name}.{self.starts}.log')

    def log_paths(self):
        """Of all its processes so far."""
        return [os.path.join(self.installation.root, f'{self.name}.{number}.log') for number in range(1, self.starts + 1)]

    def log(self):
        with open(self.log_path, errors='replace') as file:
            return file.read()

    def spawn(self):
        self.starts += 1
        self.ready.clear()
        self.expected_code = None
        with open(self.log_path, 'ab') as log:
            self.process = subprocess.Popen([self.binary, self.command], stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                                            cwd=self.installation.root, env=self.environment)

    def watch(self):
        while self.is_wanted:
            code = self.process.poll()
            if code is None:
                if not self.ready.is_set() and '"ready"' in self.log():
                    self.became_ready()
                time.sleep(POLL_S)
                continue
            with self.lock:
                if not self.is_wanted:
                    return
                self.note_end(code)
                self.ready.clear()
            time.sleep(RESTART_PAUSE_S)
            with self.lock:
                if self.is_wanted:
                    self.spawn()

    def became_ready(self):
        with self.lock:
            if self.trouble and self.trouble.how == 'killed':
                self.installation.ledger.end_trouble(self.trouble)
                self.trouble = None
            self.ready.set()

    def note_end(self, code):
        """A start may fail while a service is away: it is tried again. What was ready must not end unless it was told to."""
        self.ends.setdefault(self.log_path, time.time())
        if code == self.expected_code:
            return
        if self.ready.is_set() or code < 0:
            self.installation.problems.append(f'{self.name} ended by itself with code {code}: {self.log_path}\n' + self.log()[-2000:])
        if not self.trouble:
            self.trouble = self.installation.ledger.begin_trouble(self.name, 'killed')

    def kill(self):
        with self.lock:
            self.expect_end(-signal.SIGKILL)
            self.process.kill()
            self.process.wait()
            self.ends[self.log_path] = time.time()

    def terminate(self):
        """SIGTERM: it should finish what is under way; the watcher starts the next one."""
        with self.lock:
            self.expect_end(0)
            self.process.terminate()

    def expect_end(self, code):
        self.expected_code = code
        if not self.trouble:
            self.trouble = self.installation.ledger.begin_trouble(self.name, 'killed')

    def freeze(self):
        self.trouble = self.installation.ledger.begin_trouble(self.name, 'frozen')
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self):
        self.process.send_signal(signal.SIGCONT)
        self.installation.ledger.end_trouble(self.trouble)
        self.trouble = None

    def end(self, seconds=30):
        """Ends it for good; returns the exit code, or None if it had to be killed."""
        with self.lock:
            self.is_wanted = False
            if self.process.poll() is None:
                self.process.send_signal(signal.SIGCONT)
                self.process.terminate()
            try:
                return self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                return None
            finally:
                self.ends[self.log_path] = time.time()


class Installation:
    """Members on one engine, in a directory for their logs, with a ledger that lists their troubles."""

    def __init__(self, engine_of, ledger_of, keep=False):
        self.root = tempfile.mkdtemp(prefix='orderly-faults-', dir=os.environ.get('FAULT_LOGS'))
        self.keep = keep
        self.ledger = ledger_of(os.path.join(self.root, 'ledger.ndjson'))
        self.engine = engine_of(self.root)
        self.members, self.problems = {}, []
        code, out, error = self.run('setup')
        assert code == 0, f'setup: {out}{error}'

    def run(self, command, *arguments, timeout=300):
        done = subprocess.run([BINARY, command, *arguments], capture_output=True, text=True, timeout=timeout, cwd=self.root,
                              env={**clean_environment(), **SETTINGS, **self.engine.environment})
        return done.returncode, done.stdout, done.stderr

    def add(self, name, command, **settings):
        member = self.members[name] = Member(self, name, command, **settings)
        return member

    def apis(self):
        return [member for member in self.members.values() if member.command != 'consumer']

    def wait_until_ready(self, seconds=60):
        wait_for('all processes to be ready', lambda: all(member.ready.is_set() for member in self.members.values()), seconds)

    def reader(self, topic):
        return topics.TopicReader(self.engine.dump, topic, PARTITIONS)

    def export(self):
        """The store's rows: order id -> {'order', 'history'}, the lines of one order joined."""
        code, out, error = self.run('export')
        assert code == 0, f'export: {error}'
        found = {}
        for line in out.splitlines():
            entry = json.loads(line)
            known = found.setdefault(entry['order']['order_id'], {'history': []})
            known['order'] = entry['order']
            known['history'] += entry['history']
        return found

    def end_members(self):
        """Ends them as a service manager would; each must come to its end by itself and without a fault."""
        codes = {name: member.end() for name, member in self.members.items()}
        assert set(codes.values()) <= {0}, f'exit codes after SIGTERM: {codes}'

    def close(self):
        for member in self.members.values():
            member.end()
        self.ledger.close()
        if not self.keep:
            shutil.rmtree(self.root, ignore_errors=True)
