"""Orderly killed with -9 again and again under load, with a ledger kept outside.

Every order answered 201 must be there with its exact content, once; listings must agree with orders; every attempt must
have one verdict however often it was decided; a replay of the whole log must leave the logical dump unchanged.
KILL_ROUNDS (20) rounds, half of them with one process, half with an API and two consumers; KILL_SEED repeats a run.
"""
import collections
import hashlib
import json
import os
import random
import subprocess
import sys
import threading
import time
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
from orderly import DataDirectory, Process, export, run, wait_for  # noqa: E402

ROUNDS = int(os.environ.get('KILL_ROUNDS', '20'))
SEED = int(os.environ.get('KILL_SEED', '1'))
SENDERS = 6


class Ledger:
    """What the clients were told, kept outside of the system."""

    def __init__(self):
        self.lock = threading.Lock()
        self.created = {}    # order id -> what was sent
        self.refused = set() # ids that were answered 409
        self.unknown = 0     # no answer, or one that says so

    def note(self, status, body, sent):
        with self.lock:
            if status == 201:
                assert body['order_id'] not in self.created or 'order_id' in sent, 'an id was given twice'
                assert body['order_id'] not in self.created, f"two 201 for {body['order_id']}"
                self.created[body['order_id']] = sent
            elif status == 409:
                self.refused.add(sent['order_id'])
            else:
                self.unknown += 1


def make_order(rng, number, recent):
    order = {'customer_name': f'Customer {rng.randrange(50)}', 'metadata': {'number': str(number)},
             'items': [{'item': f'item {rng.randrange(99)}', 'quantity': rng.randint(1, 9), 'unit_price': rng.randrange(9999)}
                       for _ in range(rng.randint(1, 4))]}
    if rng.random() < 0.2:
        if recent and rng.random() < 0.5:
            order['order_id'] = rng.choice(recent)  # somebody has this id: 409
        else:
            order['order_id'] = str(uuid.UUID(int=rng.getrandbits(128), version=4))
            recent.append(order['order_id'])
    return order


def send_until(stop, port, seed, ledger):
    import http.client
    rng, recent, number, connection = random.Random(seed), [], 0, None
    while not stop.is_set():
        number += 1
        order = make_order(rng, f'{seed}-{number}', recent)
        try:
            connection = connection or http.client.HTTPConnection('127.0.0.1', port, timeout=15)
            connection.request('POST', '/orders', json.dumps(order), {'Content-Type': 'application/json'})
            answer = connection.getresponse()
            body = json.loads(answer.read())
            ledger.note(answer.status, body, order)
        except (OSError, http.client.HTTPException, ValueError):
            ledger.note(0, None, order)
            connection = None
            if stop.wait(0.01):
                return


def one_round(data, rng, ledger, split, seed):
    """Starts the processes, loads them, kills at a random moment: all at once, or a consumer first."""
    processes = [Process(data, 'api', verdict_timeout='5s'), Process(data, 'consumer'), Process(data, 'consumer')] if split else \
        [Process(data, 'serve', verdict_timeout='5s')]
    stop = threading.Event()
    before = len(ledger.created)
    senders = [threading.Thread(target=send_until, args=(stop, processes[0].port, f'{seed}-{i}', ledger)) for i in range(SENDERS)]
    try:
        for sender in senders:
            sender.start()
        wait_for('the first answers', lambda: len(ledger.created) > before + 20)
        time.sleep(rng.uniform(0, 0.4))  # the moment of the kill is the test's dice, not a wait for anything
        if split and rng.random() < 0.5:
            processes[1].kill()
            count = len(ledger.created)
            wait_for('orders after the kill of a consumer', lambda: len(ledger.created) > count + 20)
    finally:
        for process in processes:
            if process.process.poll() is None:
                process.kill()
        stop.set()
        for sender in senders:
            sender.join()


def verdicts(data):
    """attempt id -> the set of what was said about it."""
    out = subprocess.run([os.environ['DUMP_EVENTS'], data], capture_output=True, text=True, check=True).stdout
    said = collections.defaultdict(set)
    for line in out.splitlines():
        _, _, event_id, attempt, verdict, reason, version = line.split('\t')
        said[attempt].add((event_id, verdict, reason, version))
    return said


def check_orders(server, ledger):
    listed = {}
    for order in server.orders():
        assert order['order_id'] not in listed, f"{order['order_id']} is listed twice"
        listed[order['order_id']] = order
    for order_id, sent in ledger.created.items():
        assert order_id in listed, f'{order_id} was answered 201 and is lost'
        order = listed[order_id]
        for field in ('customer_name', 'items', 'metadata'):
            assert order[field] == sent[field], (order_id, field, order[field], sent[field])
        status, _, body = server.get('/orders/' + order_id, {'Cache-Control': 'no-cache'})
        assert status == 200 and body == order, (order_id, status)
    numbers = collections.Counter(order['metadata']['number'] for order in listed.values())
    twice = [number for number, count in numbers.items() if count > 1]
    assert not twice, f'sent once and there twice: {twice[:5]}'
    by_status = {order['order_id'] for order in server.orders(status='created')}
    assert by_status == set(listed), 'the listing by status differs'
    by_customer = set()
    for customer in {order['customer_name'] for order in listed.values()}:
        found = {order['order_id'] for order in server.orders(customer_name=customer)}
        assert not found & by_customer and all(listed[i]['customer_name'] == customer for i in found)
        by_customer |= found
    assert by_customer == set(listed), 'the listing by customer differs'
    return listed


def digest(lines):
    return hashlib.sha256('\n'.join(lines).encode()).hexdigest()


def main():
    rng, ledger = random.Random(SEED), Ledger()
    with DataDirectory() as directory:
        data, said = directory.path, {}
        for number in range(ROUNDS):
            one_round(data, rng, ledger, split=number % 2 == 1, seed=f'{SEED}-{number}')
            now = verdicts(data)
            for attempt, what in said.items():
                assert now[attempt] == what, f'the verdict on {attempt} changed: {what} -> {now[attempt]}'
            said = now
            print(f'round {number + 1}: {len(ledger.created)} acknowledged, {len(ledger.refused)} refused, '
                  f'{ledger.unknown} without an answer', flush=True)
        with Process(data) as server:
            server.wait_until_processed()
            listed = check_orders(server, ledger)
            assert server.stop() == 0
        said = verdicts(data)
        split = {attempt: what for attempt, what in said.items() if len(what) != 1}
        assert not split, f'attempts with more than one verdict: {list(split.items())[:3]}'
        before = export(data)
        assert {json.loads(line)['order']['order_id'] for line in before} == set(listed)
        code, _, error = run(data, 'consumer', '--replay')
        assert code == 0, error
        assert digest(export(data)) == digest(before), 'a replay changed the logical dump'
        print(f'{len(listed)} orders, {len(said)} attempts, dump {digest(before)[:16]}: nothing lost, doubled or changed')


main()
