"""What the clients sent and were told, and what was done to the processes meanwhile: kept outside of the system.

Times are of the monotonic clock; `wall` is the wall clock where an order's age counts. Every entry also goes to a file,
one JSON object a line, to be read when a round has failed."""
import dataclasses
import json
import random
import threading
import time
import uuid


@dataclasses.dataclass
class Request:
    """One HTTP request. status 0: no answer came, error says why."""
    kind: str               # create, get, list
    api: str                # "api-1"
    path: str
    began: float
    connected: float = 0.0  # when the connection it went over was opened
    ended: float = 0.0
    wall: float = 0.0       # when it ended
    status: int = 0
    code: str = ''          # of a problem
    retry_after: str = ''
    error: str = ''
    order_id: str = ''      # asked for, given by the client, or given by the answer
    sent: dict = None       # create: the order; its metadata has the tag
    named: bool = False     # create: the client gave the id
    fresh: bool = False     # get: Cache-Control: no-cache
    body: object = None     # the answer as JSON

    @property
    def tag(self):
        return (self.sent or {}).get('metadata', {}).get('tag')


@dataclasses.dataclass
class Command:
    """One message appended straight to the log; result as the log said: ok, unknown, unavailable, ..."""
    attempt_id: str
    command_id: str
    order_id: str
    kind: str
    expected: int
    argument: str
    began: float
    result: str = ''
    partition: int = -1
    offset: int = -1


@dataclasses.dataclass
class Trouble:
    """A stretch of time in which a process did not run as it should: killed (until it is ready again) or frozen."""
    name: str
    how: str                # killed, frozen
    began: float
    ended: float = float('inf')

    def overlaps(self, began, ended):
        return self.began <= ended and began <= self.ended


class Ledger:
    """Safe to use from any thread."""

    def __init__(self, path):
        self.lock = threading.Lock()
        self.file = open(path, 'a', buffering=1)
        self.path = path
        self.requests, self.commands, self.troubles = [], {}, []
        self.acknowledged = []   # ids answered 201, oldest first
        self.settled = []        # (order id, time, version): what the store was seen to hold between two loads
        self.tags = 0

    def next_tag(self):
        with self.lock:
            self.tags += 1
            return f't{self.tags}'

    def write(self, entry):
        self.file.write(json.dumps({'entry': type(entry).__name__, **dataclasses.asdict(entry)}) + '\n')

    def note_request(self, request):
        with self.lock:
            self.requests.append(request)
            self.write(request)
            if request.kind == 'create' and request.status == 201:
                self.acknowledged.append(request.order_id)

    def note_command(self, command):
        """Before it is sent; the result is filled in later."""
        with self.lock:
            self.commands[command.attempt_id] = command

    def note_result(self, attempt_id, result, partition, offset):
        with self.lock:
            command = self.commands[attempt_id]
            command.result, command.partition, command.offset = result, partition, offset
            self.write(command)

    def begin_trouble(self, name, how):
        trouble = Trouble(name, how, time.monotonic())
        with self.lock:
            self.troubles.append(trouble)
        return trouble

    def end_trouble(self, trouble):
        with self.lock:
            trouble.ended = time.monotonic()
            self.write(trouble)

    def note_store(self, store):
        now = time.monotonic()
        self.settled = [(order_id, now, entry['order']['version']) for order_id, entry in store.items()]

    def some_order(self, rng):
        """An acknowledged order, mostly a recent one, or None."""
        with self.lock:
            if not self.acknowledged:
                return None
            count = len(self.acknowledged)
            first = max(0, count - 50) if rng.random() < 0.7 else 0
            return self.acknowledged[rng.randrange(first, count)]

    def close(self):
        with self.lock:
            for command in self.commands.values():
                if not command.result:
                    self.write(command)
        self.file.close()


def new_uuid(rng):
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))


def seeded(*parts):
    return random.Random('/'.join(str(part) for part in parts))
