"""Poison, strays in wrong partitions and commands of a newer schema among good ones: each where it belongs.

POISON_COUNT (50) bad messages among POISON_GOOD (5000) good ones, a killed process in the middle. Poison and strays come to
order-dlq once each by id, with reason, source position and their bytes; a newer command stops its partition alone, which
says what it waits for; a program that knows the newer schema takes it on. FAULT_ENGINE=embedded runs it without services.
"""
import json
import os
import urllib.request
import uuid

from installation import PARTITIONS, Cluster, Embedded, Installation, Services, run_as_test
from ledger import Ledger, new_uuid, seeded
from load import CommandSender
from model import Model
from orderly import wait_for
from partitioner import partition_of
from rounds import require
import checks

GOOD = int(os.environ.get('POISON_GOOD', '5000'))
POISON = int(os.environ.get('POISON_COUNT', '50'))
SEED = os.environ.get('POISON_SEED', '1')
ENGINE = os.environ.get('FAULT_ENGINE', 'cluster')
NEXT_BINARY = os.environ.get('ORDERLY_NEXT_BINARY', '')
NEWER = 6                 # commands of the next schema, in the partitions below
PAUSED = (1, 4)
LIMIT_S = 60 + GOOD / 300


def engine_of(root):
    if ENGINE == 'embedded':
        return Embedded(root)
    return Cluster(Services(os.environ['CLUSTER_DIR'], 1), f'p{SEED}_{os.getpid()}_', root)


class Mix:
    """What is sent, in what order. spoilt: message id -> (reason, value) of what must come to the dead letters."""

    def __init__(self, sender):
        self.sender, self.rng = sender, seeded(SEED, 'poison')
        self.spoilt, self.newer, self.good = {}, [], 0
        self.template = self.print_command()

    def print_command(self):
        """A good create as the program writes it, to be spoilt in many ways."""
        attempt = new_uuid(self.rng)
        self.sender.write('print', attempt, new_uuid(self.rng), new_uuid(self.rng), 'Ada', 'template')
        return json.loads(wait_for('a printed command', lambda: self.sender.printed.get(attempt)))

    def command(self, **changes):
        fresh = {'order_id': new_uuid(self.rng), 'command_id': new_uuid(self.rng), 'attempt_id': new_uuid(self.rng)}
        return {**self.template, **fresh, **changes}

    def raw(self, partition, key, value):
        message_id = str(uuid.UUID(int=self.rng.getrandbits(128), version=4))
        self.sender.note_raw(message_id)
        self.sender.write('raw', message_id, partition, key, value.hex())
        return message_id

    def send_good(self):
        self.good += 1
        order_id = new_uuid(self.rng)
        self.sender.send_create(new_uuid(self.rng), new_uuid(self.rng), order_id, 'Ada', f'g{self.good}')

    def send_poison(self):
        reason, partition, key, value = self.rng.choice(KINDS)(self)
        self.spoilt[self.raw(partition, key, value)] = (reason, value)

    def send_newer(self, partition):
        """The next schema: for this program a number that it does not know; what follows it may look like anything."""
        while True:
            command = self.command(schema=2)
            if partition_of(command['order_id'], PARTITIONS) == partition:
                break
        self.newer.append(self.raw(-1, command['order_id'], json.dumps(command).encode()))


def no_json(mix):
    value = mix.rng.choice([b'', b'{', b'not json', b'\xff\xfe\x00', b'{"schema":1,"schema":1}', b'[1]', b'"text"', b'{}'])
    return 'invalid', -1, new_uuid(mix.rng), value


def without_a_member(mix):
    command = mix.command()
    del command[mix.rng.choice([name for name in command if name != 'rules'])]
    return 'invalid', -1, new_uuid(mix.rng), json.dumps(command).encode()


def spoilt_payload(mix):
    command = mix.command(payload={**mix.template['payload'], 'total': 5})
    return 'invalid', -1, command['order_id'], json.dumps(command).encode()


def wrong_fingerprint(mix):
    command = mix.command(fingerprint='0' * 32)
    return 'invalid', -1, command['order_id'], json.dumps(command).encode()


def of_another_order(mix):
    return 'wrong_key', -1, new_uuid(mix.rng), json.dumps(mix.command()).encode()


def stray(mix):
    command = mix.command()
    home = partition_of(command['order_id'], PARTITIONS)
    wrong = mix.rng.choice([partition for partition in range(PARTITIONS) if partition != home])
    return 'wrong_partition', wrong, command['order_id'], json.dumps(command).encode()


def too_large(mix):
    return 'too_large', -1, new_uuid(mix.rng), b'[' + b'1,' * 140000 + b'1]'


KINDS = [no_json, without_a_member, spoilt_payload, wrong_fingerprint, of_another_order, stray] * 3 + [too_large]


class PoisonSender(CommandSender):
    """Where each message came to lie; kept out of the ledger's commands, whose checks know good commands only."""

    def __init__(self, installation):
        self.places = {}
        super().__init__(installation)

    def note_raw(self, message_id):
        self.places[message_id] = None

    def send_create(self, attempt_id, *fields):
        self.note_raw(attempt_id)
        self.write('create', attempt_id, *fields)

    def receive(self):
        for line in self.process.stdout:
            message_id, result, *rest = line.rstrip('\n').split('\t')
            if result == 'printed':
                self.printed[message_id] = rest[0]
            else:
                assert result == 'ok', line
                self.places[message_id] = (int(rest[0]), int(rest[1]))


def send_all(installation):
    """Good ones and poison mixed by the seed; half way, the newer ones and a killed process."""
    sender = PoisonSender(installation)
    mix = Mix(sender)
    order = [mix.send_good] * GOOD + [mix.send_poison] * POISON
    mix.rng.shuffle(order)
    for number, send in enumerate(order):
        if number == len(order) // 2:
            for _ in range(NEWER):
                mix.send_newer(mix.rng.choice(PAUSED) if len(mix.newer) >= len(PAUSED) else PAUSED[len(mix.newer)])
            installation.members['serve-1'].kill()
        send()
    sender.close(300)
    assert None not in sender.places.values(), 'a message without an answer'
    return mix, sender.places


class Progress:
    """How far the processing has come, from events and dead letters."""

    def __init__(self, installation):
        self.commands, self.events, self.letters = (installation.reader('order-' + name) for name in ('commands', 'events', 'dlq'))
        self.done = set()

    def read(self):
        self.commands.read()
        for record in self.events.read():
            event = record.json()
            self.done.add((event['partition'], event['offset']))
        for record in self.letters.read():
            self.done.add((int(record.headers['ce_sourcepartition']), int(record.headers['ce_sourceoffset'])))

    def waiting(self):
        self.read()
        return {(record.partition, record.offset) for record in self.commands.records} - self.done


def get(member, path):
    try:
        with urllib.request.urlopen(f'http://127.0.0.1:{member.port}{path}', timeout=20) as answer:
            return answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.read().decode()


def check_pause(installation, progress, mix, places):
    """Everything but what stands behind a newer command is done, and the program says why that waits."""
    first = {}
    for message_id in mix.newer:
        partition, offset = places[message_id]
        first[partition] = min(offset, first.get(partition, offset))
    assert sorted(first) == sorted(PAUSED), first

    def only_those_wait():
        waiting = progress.waiting()
        return all(partition in first and offset >= first[partition] for partition, offset in waiting) and waiting
    waiting = wait_for('all but two partitions to be done', only_those_wait, LIMIT_S)
    expected = {(record.partition, record.offset) for record in progress.commands.records
                if record.partition in first and record.offset >= first[record.partition]}
    assert waiting == expected, f'{len(waiting)} commands wait instead of {len(expected)}'
    member = installation.members['serve-1']

    def is_said():
        ready = json.loads(get(member, '/health/ready'))
        reasons = [part['reason'] for part in ready['parts'] if part['part'] == 'pipeline' and part['status'] != 'ok']
        return reasons and 'schema version 2' in reasons[0] and any(f'partition {number} ' in reasons[0] for number in first)
    wait_for('/health/ready to say which version a partition waits for', is_said)
    lines = [json.loads(line) for line in member.log().splitlines() if 'newer schema version' in line]
    said = {line['partition']: (line['offset'], line['schema']) for line in lines}
    assert said == {partition: (offset, 2) for partition, offset in first.items()}, lines
    wait_for('the gauge of paused partitions', lambda: f'\norderly_pipeline_paused {len(first)}\n' in get(member, '/metrics'))
    return len(waiting)


def letter_problems(letters, mix, places):
    expected = {'order-commands/%d/%d' % places[message_id]: spoilt for message_id, spoilt in mix.spoilt.items()}
    found = {}
    for letter in letters:
        letter_id, content = letter.headers['ce_id'], (letter.headers['ce_reason'], letter.value)
        if found.setdefault(letter_id, content) != content:
            yield f'two contents of letter {letter_id}'
        position = f'order-commands/{letter.headers["ce_sourcepartition"]}/{letter.headers["ce_sourceoffset"]}'
        if letter_id != position or letter.headers.get('ce_sourcetopic') != 'order-commands' or not letter.headers.get('ce_reasontext'):
            yield f'letter {letter_id} has the headers {letter.headers}'
    for letter_id in found.keys() - expected.keys():
        yield f'a letter of a good message: {letter_id}: {found[letter_id]}'
    for letter_id, spoilt in expected.items():
        if letter_id not in found:
            yield f'no letter {letter_id} for {spoilt[0]}: {spoilt[1][:200]}'
        elif found[letter_id] != spoilt:
            yield f'letter {letter_id} is {found[letter_id][0]}, {found[letter_id][1][:100]}, not {spoilt[0]}, {spoilt[1][:100]}'


def check_end(installation, progress, mix, places):
    require('dead letters', letter_problems(progress.letters.records, mix, places))
    spoilt, model = {places[message_id] for message_id in mix.spoilt}, Model()
    for record in progress.commands.records:
        if (record.partition, record.offset) not in spoilt:
            model.add(record)
    assert len(model.verdicts) == GOOD + NEWER, f'{len(model.verdicts)} good commands in the log'
    require('the log', model.problems)
    require('the feed', checks.check_feed(progress.events.records, model))
    require('the store', checks.check_store(installation.export(), model))
    assert not installation.problems, installation.problems[0]


def run(installation):
    installation.add('serve-1', 'serve')
    installation.wait_until_ready()
    mix, places = send_all(installation)
    progress = Progress(installation)
    installation.wait_until_ready()
    waiting = check_pause(installation, progress, mix, places)
    installation.add('next-1', 'serve', binary=NEXT_BINARY)
    installation.wait_until_ready()
    code = installation.members.pop('serve-1').end()
    assert code == 0, f'serve ended with {code}'
    wait_for('the newer program to go on', lambda: not progress.waiting(), LIMIT_S)
    check_end(installation, progress, mix, places)
    letters = len(progress.letters.records)
    print(f'{GOOD} good, {len(mix.spoilt)} poison and strays, {NEWER} newer: {letters} letters for {len(mix.spoilt)} ids; '
          f'{waiting} commands waited in partitions {PAUSED} for the newer program, which went on', flush=True)


def main():
    installation = Installation(engine_of, Ledger, keep=True)
    try:
        run(installation)
        installation.end_members()
        installation.keep = False
    finally:
        if installation.keep:
            print(f'FAILED: seed {SEED}, logs in {installation.root}', flush=True)
        installation.close()


if __name__ == '__main__':
    run_as_test(main)
