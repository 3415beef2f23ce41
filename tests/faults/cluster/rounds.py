"""One round: load, blows, recovery, then every check on what the log, the feed, the store and the clients say."""
import itertools
import time

import checks
from installation import CACHE_TTL_S
from listings import require_listings, require_orders
from load import Load
from model import Model
from orderly import wait_for
from victims import strike

CATCH_UP_LIMIT_S = 60    # after the last victim is back: nothing is left to process
ANSWERS = 30             # orders acknowledged before the first blow, and again after the last victim is back
ANSWERS_LIMIT_S = 30
EVIDENCE_MAX = 8


class Watch:
    """The three topics, read outside of orderly, and what the rules make of them."""

    def __init__(self, installation):
        self.installation = installation
        self.commands, self.events = installation.reader('order-commands'), installation.reader('order-events')
        self.letters, self.model = installation.reader('order-dlq'), Model()
        self.processed = set()   # positions of commands that have an event

    def read(self):
        for record in self.commands.read():
            self.model.add(record)
        for record in self.events.read():
            event = record.json()
            self.processed.add((event['partition'], event['offset']))
        self.letters.read()

    def waiting(self):
        """Commands without an event."""
        return sum((record.partition, record.offset) not in self.processed for record in self.commands.records)

    def catch_up(self):
        """Waits until every command has its event, with nothing done by hand; returns how long that took."""
        began = time.monotonic()
        while True:
            self.read()
            waiting = self.waiting()
            took_s = time.monotonic() - began
            if not waiting:
                return took_s
            assert took_s < CATCH_UP_LIMIT_S, f'{waiting} commands wait after {took_s:.0f} s'
            time.sleep(0.2)


def require(what, problems):
    found = list(itertools.islice(problems, EVIDENCE_MAX))
    assert not found, f'{what}:\n  ' + '\n  '.join(found)


def check_all(installation, watch):
    settled_at = time.monotonic()
    ledger, model, commands = installation.ledger, watch.model, watch.commands.records
    assert not installation.problems, installation.problems[0]
    require('answers', checks.check_answers(ledger.requests, ledger.troubles))
    require('the log', model.problems)
    require('the log', checks.check_log(ledger.requests, commands))
    require('the log', checks.check_commands(ledger.commands.values(), commands))
    require('the feed', checks.check_feed(watch.events.records, model))
    require('verdicts', checks.check_verdicts(ledger.requests, model, commands))
    require('reads', checks.check_reads(ledger.requests, ledger.troubles, model.rows, CACHE_TTL_S, ledger.settled))
    store = installation.export()
    require('the store', checks.check_store(store, model))
    require('acknowledged orders', checks.check_acknowledged(ledger.requests, store))
    require('dead letters', checks.check_dead_letters(watch.letters.records))
    check_api(installation, {order_id: entry['order'] for order_id, entry in store.items()}, settled_at)
    ledger.note_store(store)


def check_api(installation, orders, settled_at):
    """What the API shows now that nothing changes any more."""
    apis, ledger = installation.apis(), installation.ledger
    known = {entry[0] for entry in ledger.settled}
    new = [order_id for order_id in ledger.acknowledged if order_id not in known]
    time.sleep(max(0, settled_at + CACHE_TTL_S + checks.CLOCK_SLACK_S - time.monotonic()))   # the bound on a stale read
    for fresh in (False, True):   # a fresh read mends the caches on its way
        for order in (apis, apis[::-1]):
            require_orders(order, orders, new, fresh)
    for api in apis:
        require_listings(api, orders)


def wait_for_answers(when, ledger):
    """The load does not come to a halt: so many more orders are acknowledged within the limit."""
    wanted = len(ledger.acknowledged) + ANSWERS
    wait_for(f'{ANSWERS} more orders answered 201 {when}', lambda: len(ledger.acknowledged) >= wanted, ANSWERS_LIMIT_S)


def run_round(installation, watch, blows, seed):
    """Returns a line about the round."""
    ledger = installation.ledger
    with Load(installation, seed):
        wait_for_answers('before the blows', ledger)
        strike(installation, blows)
        installation.wait_until_ready()
        wait_for_answers('after the last victim is back', ledger)
    took_s = watch.catch_up()
    check_all(installation, watch)
    return summary(installation.ledger, watch, took_s)


def summary(ledger, watch, took_s):
    creates = [request for request in ledger.requests if request.kind == 'create']
    answered = sum(request.status == 201 for request in creates)
    slowest_s = max(request.ended - request.began for request in ledger.requests)
    refused = sum(request.status == 503 for request in ledger.requests)
    repeats = len(watch.events.records) - len(watch.model.verdicts)
    return f'{answered} of {len(creates)} creates answered 201, {len(ledger.commands)} commands, {refused} answers 503, ' \
           f'slowest {slowest_s:.1f} s, caught up {took_s:.1f} s after, {repeats} events repeated'
