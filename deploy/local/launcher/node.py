"""One node of a service: its directory, its process, and what all kinds of nodes have in common."""
import os
import signal
import socket
import string

from .directory import lock, write_whole
from .ports import taken
from .process import Process
from .report import Failure

HOME = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LOG_MAX_BYTES = 64 << 20  # a start with a larger log moves it aside
LOG_TAIL_LINES = 25
LINE_MAX = 400
PROBE_TIMEOUT_S = 2
MALLOC_ARENAS = '2'  # glibc keeps up to 8 heaps a core for a JVM's many threads


class Node:
    """Subclasses say what they need, listen on, start, and how they answer."""

    quorum = staticmethod(lambda count: 1)  # so many nodes must run before one can answer

    def __init__(self, plan, record):
        self.plan = plan
        self.record = record
        self.name = record['name']
        self.service = record['service']
        self.index = record['index']
        self.address = record['address']
        self.port = record['port']
        self.directory = os.path.join(plan.directory, self.name)
        self.log_path = os.path.join(self.directory, 'log')
        self.process = Process(os.path.join(self.directory, 'process.json'), self.directory)

    def fetch(self):
        pass

    def needs_archive(self):
        return False

    def check_programs(self):
        raise NotImplementedError

    def listens(self):
        """[(address, port)] that must be free before a start."""
        return [(self.address, self.port)]

    def prepare(self):
        """Writes what the process reads."""

    def command(self):
        raise NotImplementedError

    def seen(self):
        """The indexes of the service's nodes that this one answers for, itself among them; None: it does not answer."""
        raise NotImplementedError

    def start(self):
        """Starts it unless it runs, thaws it if it is frozen. Returns whether it was started."""
        with lock(self.plan.directory, shared=True):  # a wipe waits, or comes first
            os.makedirs(self.directory, mode=0o700, exist_ok=True)
            with lock(self.directory):
                self.process.wait_if_dying()
                if self.process.pid():
                    self.process.send(signal.SIGCONT)  # it may be frozen
                    return False
                for address, port in self.listens():
                    if taken(address, port):
                        raise Failure(f'port {address}:{port}, for {self.name}, is taken by another process')
                self._limit_log()
                self.prepare()
                self.process.spawn(self.command(), self.directory, self.log_path,
                                   {**os.environ, 'MALLOC_ARENA_MAX': MALLOC_ARENAS})
                return True

    def _limit_log(self):
        if os.path.exists(self.log_path) and os.path.getsize(self.log_path) > LOG_MAX_BYTES:
            os.replace(self.log_path, self.log_path + '.1')

    def log_tail(self):
        try:
            with open(self.log_path, encoding='utf-8', errors='replace') as file:
                lines = file.readlines()[-LOG_TAIL_LINES:]
        except FileNotFoundError:
            return '  (no log)'
        return ''.join(f'  {line.rstrip()[:LINE_MAX]}\n' for line in lines).rstrip() or '  (an empty log)'

    def failure(self, what):
        return Failure(f'{self.name} {what}; the end of {self.log_path}:\n{self.log_tail()}')

    def write_configuration(self, name, **values):
        """Fills in the template deploy/local/SERVICE/NAME and returns the path of the result."""
        with open(os.path.join(HOME, self.service, name), encoding='utf-8') as file:
            text = string.Template(file.read()).substitute(values)
        path = os.path.join(self.directory, name)
        write_whole(path, text)
        return path

    def connect(self):
        """A connection for a probe; raises OSError."""
        return socket.create_connection((self.address, self.port), PROBE_TIMEOUT_S)


def receive(connection, size):
    """Exactly so many bytes; raises OSError."""
    data = b''
    while len(data) < size:
        part = connection.recv(size - len(data))
        if not part:
            raise ConnectionError('closed in the middle of an answer')
        data += part
    return data
