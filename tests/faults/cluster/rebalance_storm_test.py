"""A rebalance storm: consumers killed and ended every few seconds under load, others started in their place.

STORM_SECONDS (20). The same ledger and the same zeros as in rounds_test.py; it prints the longest time for which a partition
had no owner, and the longest time that a command waited for its event. FAULT_ENGINE=embedded runs it without services.
"""
import os
import time

import ownership
from installation import PARTITIONS, Cluster, Embedded, Installation, Services, run_as_test
from ledger import Ledger, seeded
from load import Load
from rounds import Watch, check_all, summary, wait_for_answers

SECONDS = float(os.environ.get('STORM_SECONDS', '20'))
SEED = os.environ.get('STORM_SEED', '1')
ENGINE = os.environ.get('FAULT_ENGINE', 'cluster')
CONSUMERS = 4
PAUSE_S = (2, 6)   # between two blows; a killed member's session is 6 s, until then nobody has its partitions


def engine_of(root):
    if ENGINE == 'embedded':
        return Embedded(root)
    return Cluster(Services(os.environ['CLUSTER_DIR'], 1), f's{SEED}_{os.getpid()}_', root)


def storm(installation, rng):
    """Returns how many were killed and how many ended."""
    names, counts, end = [f'consumer-{number}' for number in range(1, CONSUMERS + 1)], [0, 0], time.monotonic() + SECONDS
    while time.monotonic() < end:
        time.sleep(rng.uniform(*PAUSE_S))
        member, is_kill = installation.members[rng.choice(names)], rng.random() < 0.5
        if not member.ready.wait(10):
            continue
        (member.kill if is_kill else member.terminate)()
        counts[0 if is_kill else 1] += 1
    return counts


def longest_wait_s(watch):
    """From a command's own time to that of its event, as the log has them."""
    times = {(record.partition, record.offset): record.time_ms for record in watch.commands.records}
    waits = {}
    for record in watch.events.records:
        event = record.json()
        waits.setdefault((event['partition'], event['offset']), record.time_ms - times[event['partition'], event['offset']])
    return max(waits.values()) / 1000


def report(installation, watch, began, over):
    """Prints the two longest times. That no partition is left alone for good is for the catch-up's limit to say."""
    members = [member for member in installation.members.values() if member.command == 'consumer']
    owned = ownership.of_members(members)
    gap_s, partition = max((ownership.longest_gap(owned[number], began, over)[0], number) for number in range(PARTITIONS))
    print(f'{over - began:.0f} s of storm: the longest time without an owner was {gap_s:.2f} s (partition {partition}), '
          f'the longest wait of a command {longest_wait_s(watch):.2f} s', flush=True)


def main():
    installation, rng = Installation(engine_of, Ledger, keep=True), seeded(SEED, 'storm')
    try:
        installation.add('api-1', 'api')
        for number in range(1, CONSUMERS + 1):
            installation.add(f'consumer-{number}', 'consumer', log_level='debug')
        installation.wait_until_ready()
        watch = Watch(installation)
        with Load(installation, f'{SEED}-storm'):
            wait_for_answers('before the storm', installation.ledger)
            began = time.time()
            killed, ended = storm(installation, rng)
            installation.wait_until_ready()
            over = time.time()
            wait_for_answers('after the storm', installation.ledger)
        took_s = watch.catch_up()
        report(installation, watch, began, over)
        check_all(installation, watch)
        print(f'{killed} consumers killed and {ended} ended: {summary(installation.ledger, watch, took_s)}', flush=True)
        installation.end_members()
        installation.keep = False
    finally:
        if installation.keep:
            print(f'FAILED: seed {SEED}, logs and ledger in {installation.root}', flush=True)
        installation.close()


if __name__ == '__main__':
    run_as_test(main)
