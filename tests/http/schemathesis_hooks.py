"""What the description cannot say as a schema, kept out of the generated requests (our own tests send them)."""
import json
import os
import time
import urllib.request

import schemathesis

AMOUNT_MAX = 2**53 - 1
# Parameters of a simulation whose range depends on others, their defaults included.
DEPENDENT = {'hot_rate', 'normal_rate', 'hot_keys', 'hot_shift_s', 'ttl_s', 'fault_freeze_ms'}


def total(body):
    """What the order would cost, as far as its fields are numbers; 0 for anything else."""
    lines = body.get('items', [body]) if isinstance(body, dict) else []
    lines = [line for line in (lines if isinstance(lines, list) else []) if isinstance(line, dict)]
    pairs = [(line.get('quantity', 0), line.get('unit_price', 0)) for line in lines]
    return sum(a * b for a, b in pairs if isinstance(a, (int, float)) and isinstance(b, (int, float)))


def fits(body):
    """False if parameters of a simulation might not fit each other: one at a time does, and not every one."""
    return not isinstance(body, dict) or (len(body) <= 1 and not DEPENDENT & set(body))


@schemathesis.hook
def filter_case(context, case):
    """A cursor is good only if it came from a Link header; the total is bounded, not only its parts; parameters must fit."""
    if case.operation.path == '/simulation/start' and not fits(case.body):
        return False
    return 'cursor' not in (case.query or {}) and total(case.body) <= AMOUNT_MAX


@schemathesis.hook
def before_call(context, case, kwargs):
    """A start is good only if no simulation runs: the one before is given time to end (see api_schemathesis_test.py)."""
    end = time.monotonic() + 20
    while case.operation.path == '/simulation/start' and time.monotonic() < end:
        with urllib.request.urlopen(os.environ['ORDERLY_STATUS'], timeout=20) as answer:
            if json.load(answer)['status'] == 'stopped':
                return
        time.sleep(0.005)
