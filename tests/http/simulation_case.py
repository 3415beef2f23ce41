"""What the tests of /simulation share: looking at the processes of a run, and reading its events."""
import json
import os
import socket
import sys
import threading

from http_case import SLOW, HttpCase, wait_for

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'hotkey'))
from simulate_case import Redis  # noqa: E402, F401

NOWHERE = '00000000-0000-7000-8000-000000000000'


def stat_of(pid):
    """(name, state, parent) of a process, or None."""
    try:
        with open(f'/proc/{pid}/stat') as file:
            text = file.read()
    except OSError:
        return None
    name, rest = text[text.index('(') + 1:text.rindex(')')], text[text.rindex(')') + 2:].split()
    return name, rest[0], int(rest[1])


def children_of(pid):
    """The pids of its children, dead ones that nobody has reaped included."""
    pids = (int(name) for name in os.listdir('/proc') if name.isdigit())
    return [child for child in pids if (stat_of(child) or (None, None, -1))[2] == pid]


def is_gone(pid):
    """True if it runs no more; whoever has inherited it may not have reaped it yet."""
    found = stat_of(pid)
    return found is None or found[1] in 'ZX'


class Events:
    """GET /simulation/events, read on a thread of its own."""

    def __init__(self, port):
        self.all, self.comments, self.head = [], 0, b''
        self.socket = socket.create_connection(('127.0.0.1', port), timeout=60 * SLOW)
        self.socket.sendall(b'GET /simulation/events HTTP/1.1\r\nHost: localhost\r\n\r\n')
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        file = self.socket.makefile('rb')
        try:
            while (line := file.readline()) not in (b'\r\n', b''):
                self.head += line
            event = {}
            for line in file:
                name, _, value = line.decode().rstrip('\n').partition(': ')
                if name == 'data':
                    value = json.loads(value)
                if name:
                    event[name] = value
                elif event:
                    self.all.append(event)
                    event = {}
        except OSError:
            pass

    def since(self, run_id):
        """The events of a run; those of the one before it are sent first."""
        events = list(self.all)
        starts = [i for i, event in enumerate(events) if event.get('event') == 'ready' and event['data']['run_id'] == run_id]
        return events[starts[0]:] if starts else []

    def of(self, run_id, name):
        return [event['data'] for event in self.since(run_id) if event['event'] == name]

    def wait_for(self, run_id, name, count=1):
        wait_for(f'{count} of {name}', lambda: len(self.of(run_id, name)) >= count, 60)
        return self.of(run_id, name)

    def close(self):
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.socket.close()


class SimulationCase(HttpCase):
    def setUp(self):
        self.addCleanup(self.stop_and_wait)

    def status(self):
        status, _, body = self.get('/simulation/status')
        self.assertEqual(status, 200)
        return body

    def start(self, parameters=None):
        status, _, body = self.post('/simulation/start', {} if parameters is None else parameters)
        self.assertEqual(status, 200, body)
        return body

    def stop_and_wait(self):
        if self.server.process.poll() is None:
            self.post('/simulation/stop', None)
            self.wait_for_phase('none')

    def wait_for_phase(self, phase):
        wait_for(f'the phase {phase}', lambda: self.status()['phase'] == phase, 60)
        return self.status()

    def wait_for_tick(self):
        wait_for('a tick', lambda: self.status()['tick'], 60)
        return self.status()

    def run_of(self, pid=None):
        """The pid of the run's process, and those of its own children."""
        [child] = wait_for('the process of the run', lambda: children_of(pid or self.server.process.pid))
        return child, children_of(child)

    def events(self):
        events = Events(self.server.port)
        self.addCleanup(events.close)
        wait_for('the stream to begin', lambda: events.head)
        return events
