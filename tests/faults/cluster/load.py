"""The load: clients that create and read orders over HTTP, and one that appends commands straight to the log."""
import contextlib
import http.client
import json
import os
import subprocess
import threading
import time

import orderly_path  # noqa: F401
from orderly import clean_environment

from ledger import Command, Request, new_uuid, seeded

CLIENT_TIMEOUT_S = 40   # of the socket; checks.py holds answers to a stricter limit
WRITERS, READERS = 4, 3
WRITES_PER_S, READS_PER_S, COMMANDS_PER_S = 40, 40, 20
LEGAL = {'created': ['confirmed', 'cancelled', 'failed'], 'confirmed': ['paid', 'cancelled'], 'paid': ['shipped', 'refunded'],
         'shipped': ['delivered', 'refunded'], 'delivered': ['refunded']}
STATUSES = ['created', 'confirmed', 'paid', 'shipped', 'delivered', 'cancelled', 'failed', 'refunded']


class Client:
    """One keep-alive connection to each API; what comes of a request is noted, never raised."""

    def __init__(self, apis, ledger):
        self.apis, self.ledger, self.connections = {api.name: api for api in apis}, ledger, {}

    def send(self, request, method, body=None, headers=None):
        try:
            connection = self.connections.get(request.api)
            if connection is None:
                connection = http.client.HTTPConnection('127.0.0.1', self.apis[request.api].port, timeout=CLIENT_TIMEOUT_S)
                connection.opened = time.monotonic()
                self.connections[request.api] = connection
            request.connected = connection.opened
            connection.request(method, request.path, body, headers or {})
            answer = connection.getresponse()
            text = answer.read()
            request.body = json.loads(text)
            request.status, request.retry_after = answer.status, answer.headers.get('Retry-After', '')
            if answer.status >= 400:
                request.code = request.body.get('code', '')
        except (OSError, http.client.HTTPException, ValueError) as error:
            request.status, request.error = 0, f'{type(error).__name__}: {error}'
            self.connections.pop(request.api).close()
        request.ended, request.wall = time.monotonic(), time.time()
        return request

    def create(self, api, path, order, order_id=None):
        request = Request('create', api, path, time.monotonic(), sent=order, named=order_id is not None, order_id=order_id or '')
        self.send(request, 'POST', json.dumps({**order, 'order_id': order_id} if order_id else order), {'Content-Type': 'application/json'})
        if request.status == 201:
            request.order_id = request.body['order_id']
        self.ledger.note_request(request)
        return request

    def get(self, api, path, order_id, fresh=False):
        request = Request('get', api, path + order_id, time.monotonic(), order_id=order_id, fresh=fresh)
        self.send(request, 'GET', headers={'Cache-Control': 'no-cache'} if fresh else {})
        self.ledger.note_request(request)
        return request

    def list(self, api, limit):
        request = Request('list', api, f'/orders?limit={limit}', time.monotonic())
        self.send(request, 'GET')
        self.ledger.note_request(request)
        return request

    def close(self):
        for connection in self.connections.values():
            connection.close()


class CommandSender:
    """The C program that appends commands; its answers come on a thread."""

    def __init__(self, installation):
        self.ledger = installation.ledger
        self.process = subprocess.Popen([os.environ['SEND_COMMANDS']], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
                                        stderr=open(os.path.join(installation.root, 'send_commands.log'), 'a'),
                                        env={**clean_environment(), **installation.engine.environment})
        self.printed = {}
        self.thread = threading.Thread(target=self.receive, daemon=True)
        self.thread.start()

    def receive(self):
        for line in self.process.stdout:
            attempt, result, *rest = line.rstrip('\n').split('\t')
            if result == 'printed':
                self.printed[attempt] = rest[0]
            else:
                self.ledger.note_result(attempt, result, int(rest[0]), int(rest[1]))

    def send(self, kind, attempt_id, command_id, order_id, expected, argument):
        self.ledger.note_command(Command(attempt_id, command_id, order_id, kind, expected, argument, time.monotonic()))
        self.write(kind, attempt_id, command_id, order_id, expected, argument)

    def write(self, *fields):
        self.process.stdin.write('\t'.join(map(str, fields)) + '\n')

    def close(self, seconds=60):
        """Waits for all answers. A sender that does not come to its end is a fault of the log's adapter."""
        self.process.stdin.close()
        code = self.process.wait(seconds)
        self.thread.join()
        assert code == 0, f'send_commands ended with code {code}'


class Script:
    """The commands for one order: a legal way through the statuses, with doomed ones and repeats among them."""

    def __init__(self, rng, order_id):
        self.rng, self.order_id, self.version, self.status, self.last = rng, order_id, 1, 'created', None
        self.left = rng.randint(2, 8)

    def next(self):
        """(kind, command id, expected version, argument)"""
        self.left -= 1
        choice = self.rng.random()
        if choice < 0.15 and self.last:
            return self.last                                                               # the same command once more
        if choice < 0.25:
            return self.of('transition', self.version + self.rng.randint(1, 3), 'confirmed')   # ahead
        if choice < 0.35:
            return self.of('transition', self.version, self.rng.choice(STATUSES))              # as it may come
        if choice < 0.45 and self.version > 1:
            return self.of('amend', self.version - 1, 'Late')                                  # behind
        if choice < 0.6 or self.status not in LEGAL:
            if self.status in ('created', 'confirmed'):
                self.version += 1
                return self.of('amend', self.version - 1, f'Customer {self.rng.randrange(50)}')
            return self.of('transition', self.version, self.status)                            # there already
        self.status = self.rng.choice(LEGAL[self.status])
        self.version += 1
        return self.of('transition', self.version - 1, self.status)

    def of(self, kind, expected, argument):
        self.last = (kind, new_uuid(self.rng), expected, argument)
        return self.last


class Load:
    """Runs from start to stop; every thread has its own generator, so that a seed repeats what is sent."""

    def __init__(self, installation, seed, writes_per_s=WRITES_PER_S, reads_per_s=READS_PER_S, commands_per_s=COMMANDS_PER_S):
        self.installation, self.ledger, self.seed = installation, installation.ledger, seed
        self.api_names = [api.name for api in installation.apis()]
        self.stopping = threading.Event()
        self.sender = CommandSender(installation)
        self.failures = []
        work = [('writer', number, self.write_once, writes_per_s / WRITERS) for number in range(WRITERS)]
        work += [('reader', number, self.read_once, reads_per_s / READERS) for number in range(READERS)]
        work += [('commands', 0, self.command_once, commands_per_s)] if commands_per_s else []
        self.named, self.scripts = [], []
        self.threads = [threading.Thread(target=self.loop, args=entry) for entry in work]
        for thread in self.threads:
            thread.start()

    def loop(self, role, number, once, per_s):
        rng, client = seeded(self.seed, role, number), Client(self.installation.apis(), self.ledger)
        try:
            while not self.stopping.wait(rng.uniform(0, 2 / per_s)):
                once(rng, client)
        except Exception as error:   # whatever it is, the round must hear of it
            self.failures.append(f'{role} {number}: {type(error).__name__}: {error}')
        client.close()

    def write_once(self, rng, client):
        order = {'customer_name': f'Customer {rng.randrange(50)}', 'metadata': {'tag': self.ledger.next_tag()},
                 'items': [{'item': f'item {rng.randrange(99)}', 'quantity': rng.randint(1, 9), 'unit_price': rng.randrange(9999)}
                           for _ in range(rng.randint(1, 4))]}
        order_id = None
        if rng.random() < 0.25:
            order_id = rng.choice(self.named) if self.named and rng.random() < 0.3 else new_uuid(rng)
            self.named.append(order_id)
        path = '/orders' if rng.random() < 0.6 else '/api/orders'
        client.create(rng.choice(self.api_names), path, order, order_id)

    def read_once(self, rng, client):
        api, order_id = rng.choice(self.api_names), self.ledger.some_order(rng)
        if rng.random() < 0.1 or not order_id:
            client.list(api, rng.choice((10, 50, 200)))
        else:
            client.get(api, '/orders/' if rng.random() < 0.7 else '/api/orders/', order_id, fresh=rng.random() < 0.3)

    def command_once(self, rng, client):
        """Several scripts at a time, so that commands of one order do not follow each other at once only."""
        if len(self.scripts) < 10:
            order_id = self.ledger.some_order(rng)
            if order_id:
                self.scripts.append(Script(rng, order_id))
            return
        script = rng.choice(self.scripts)
        kind, command_id, expected, argument = script.next()
        self.sender.send(kind, new_uuid(rng), command_id, script.order_id, expected, argument)
        if script.left == 0:
            self.scripts.remove(script)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        """What went wrong before the end is what counts; a load that cannot be ended then is not news."""
        with contextlib.suppress(*([Exception] if kind else [])):
            self.stop()

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join(CLIENT_TIMEOUT_S + 10)
            assert not thread.is_alive(), 'a client is still waiting: a request without an end'
        self.sender.close()
        assert not self.failures, self.failures[0]
