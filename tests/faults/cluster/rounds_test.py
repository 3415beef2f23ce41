"""Services and processes killed and frozen under load, round after round, with a ledger kept outside.

CLUSTER_FAULT_ROUNDS (3) rounds: three on the cluster of `make test`, chosen to hit Kafka, Cassandra and a consumer; more
than that in blocks, by turns on one node and on three, victims and moments from CLUSTER_FAULT_SEED (1). The rounds that
passed are kept in CLUSTER_FAULT_STATE, so that a long run may take several sittings. CLUSTER_FAULT_ONLY=17 repeats one;
CLUSTER_FAULT_GO_ON=1 goes on with the next round after one that failed.
FAULT_ENGINE=embedded runs the same on one data directory, with processes alone as victims.
"""
import contextlib
import hashlib
import json
import os
import time
import traceback

from installation import BINARY, Cluster, Embedded, Installation, Services, run_as_test
from ledger import Ledger
from rounds import Watch, run_round
from victims import Blow, plan

QUICK = 3   # rounds of `make test`
ROUNDS = int(os.environ.get('CLUSTER_FAULT_ROUNDS', QUICK))
SEED = os.environ.get('CLUSTER_FAULT_SEED', '1')
STATE = os.environ.get('CLUSTER_FAULT_STATE', '') if ROUNDS > QUICK else ''
ONLY = os.environ.get('CLUSTER_FAULT_ONLY', '')
GO_ON = bool(os.environ.get('CLUSTER_FAULT_GO_ON'))
ENGINE = os.environ.get('FAULT_ENGINE', 'cluster')
DIRECTORY = os.environ.get('CLUSTER_DIR', 'build/cluster')
BLOCK = 5   # rounds on one installation: what is in it already is part of what the next round must keep
MEMBERS = {'api-1': 'api', 'api-2': 'api', 'consumer-1': 'consumer', 'consumer-2': 'consumer'}
QUICK_PLANS = {'cluster': [[Blow('kafka', 'kill', 2, 1)], [Blow('cassandra', 'kill', 2, 1), Blow('redis', 'freeze', 3, 2)],
                           [Blow('consumer-1', 'long freeze', 1, 9), Blow('api-1', 'kill', 3, 0)]],
               'embedded': [[Blow('consumer-1', 'kill', 1, 0)], [Blow('api-1', 'kill', 1, 0), Blow('consumer-2', 'freeze', 1, 2)],
                            [Blow('api-2', 'freeze', 1, 2)]]}


class State:
    """Which rounds passed, with which program; a file, if one is named."""

    def __init__(self):
        with open(BINARY, 'rb') as file:
            self.program = hashlib.sha256(file.read()).hexdigest()[:16]
        self.passed = {}
        if STATE and os.path.exists(STATE):
            with open(STATE) as file:
                kept = json.load(file)
            if kept['seed'] == SEED and kept['rounds'] == ROUNDS:
                self.passed = kept['passed']

    def note(self, number):
        self.passed[str(number)] = self.program
        if STATE:
            os.makedirs(os.path.dirname(os.path.abspath(STATE)), exist_ok=True)
            with open(STATE + '.new', 'w') as file:
                json.dump({'seed': SEED, 'rounds': ROUNDS, 'passed': self.passed}, file)
            os.replace(STATE + '.new', STATE)

    def left(self):
        return [number for number in range(ROUNDS) if str(number) not in self.passed]

    def finish(self):
        """All passed: the next run begins again."""
        if STATE and os.path.exists(STATE):
            os.unlink(STATE)
        return sum(program != self.program for program in self.passed.values())


def is_quick():
    return ROUNDS <= QUICK


def nodes_of(number):
    return 1 if is_quick() or number // BLOCK % 2 == 0 else 3


def blows_of(number, names):
    """The plan of a round. Each number of nodes has its own sequence, so that each meets all kinds of victims."""
    if is_quick():
        return QUICK_PLANS[ENGINE][number]
    return plan(SEED, number // (2 * BLOCK) * BLOCK + number % BLOCK, names)


@contextlib.contextmanager
def services_for(number):
    """The cluster of the build for a quick run; else one of its own with as many nodes as the round wants."""
    if ENGINE == 'embedded':
        yield None
    elif is_quick():
        yield Services(DIRECTORY, 1)
    else:
        services = Services(f'{DIRECTORY}-faults-{nodes_of(number)}', nodes_of(number))
        services.up()
        try:
            yield services
        finally:
            services.down()


def engine_of(services, number):
    namespace = f'f{SEED}_{number}_{os.getpid()}_'
    return (lambda root: Cluster(services, namespace, root)) if services else Embedded


def run_block(services, numbers, state):
    """Rounds on one installation, until one fails: then numbers holds those not run, and its error is raised."""
    installation = Installation(engine_of(services, numbers[0]), Ledger, keep=True)
    names = list(MEMBERS) + (services.names if services else [])
    try:
        for name, command in MEMBERS.items():
            installation.add(name, command)
        installation.wait_until_ready()
        watch = Watch(installation)
        while numbers:
            number = numbers.pop(0)
            one(installation, watch, number, blows_of(number, names))
            state.note(number)
        installation.end_members()
        installation.keep = False
    finally:
        if installation.keep:
            print(f'FAILED: seed {SEED}, logs and ledger in {installation.root}', flush=True)
        installation.close()


def run_blocks(left, state):
    """Returns how many rounds failed: at most one unless GO_ON."""
    blocks, failed = {}, 0
    for number in left:
        blocks.setdefault(number // BLOCK, []).append(number)
    for numbers in blocks.values():
        with services_for(numbers[0]) as services:
            while numbers:
                count = len(numbers)
                try:
                    run_block(services, numbers, state)
                except Exception:
                    traceback.print_exc()
                    failed += 1
                    if services:
                        services.up()   # what the failed round left frozen or dead
                    if not GO_ON or len(numbers) == count:
                        return failed
    return failed


def one(installation, watch, number, blows):
    what = f'round {number} ({installation.engine.name}, {nodes_of(number)} node): ' + ', '.join(map(str, blows))
    began = time.monotonic()
    try:
        line = run_round(installation, watch, blows, f'{SEED}-{number}')
    except BaseException:
        print(f'{what}: failed after {time.monotonic() - began:.0f} s', flush=True)
        raise
    print(f'{what}: {line}; {time.monotonic() - began:.0f} s', flush=True)


def main():
    state = State()
    left = [int(ONLY)] if ONLY else state.left()
    if len(left) < ROUNDS and not ONLY:
        print(f'{ROUNDS - len(left)} of {ROUNDS} rounds passed in earlier sittings')
    failed = run_blocks(left, state)
    if failed:
        return 1
    if not ONLY:
        other = state.finish()
        print(f'{ROUNDS} rounds: nothing lost, doubled, turned back or changed'
              + (f' ({other} of them with an earlier build)' if other else ''))


if __name__ == '__main__':
    run_as_test(main)
