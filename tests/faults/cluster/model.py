"""The rules of DESIGN section 2 once more, in a few lines of Python: what a command log must have led to.

It reads the log itself, so that it knows what was decided from what, and shares no code with the program."""
import dataclasses
import datetime

NEXT = {'created': {'confirmed', 'cancelled', 'failed'}, 'confirmed': {'paid', 'cancelled', 'failed'},
        'paid': {'shipped', 'refunded', 'failed'}, 'shipped': {'delivered', 'refunded'}, 'delivered': {'refunded'}}
AMENDABLE = {'created', 'confirmed'}


@dataclasses.dataclass
class Row:
    """A history row."""
    order: dict
    position: int
    command_id: str
    attempt_id: str
    fingerprint: str


@dataclasses.dataclass
class Verdict:
    verdict: str
    reason: str
    version: int    # of the order shown; 0: none
    partition: int
    offset: int


def time_text(ms):
    return datetime.datetime.fromtimestamp(ms / 1000, datetime.timezone.utc).strftime('%Y-%m-%dT%H:%M:%S.') + f'{ms % 1000:03d}Z'


class Model:
    """Feed it the records of order-commands in the order of each partition."""

    def __init__(self):
        self.rows = {}       # order id -> rows; row n is at n - 1
        self.verdicts = {}   # attempt id -> Verdict
        self.problems = []   # what cannot be in a sound log

    def add(self, record):
        command = record.json()
        attempt = command['attempt_id']
        if attempt in self.verdicts:
            first = self.verdicts[attempt]
            self.problems.append(f'attempt {attempt} is in the log twice: {first.partition}/{first.offset} and '
                                 f'{record.partition}/{record.offset}')
            return
        verdict, reason, version = self.decide(command, record.offset)
        self.verdicts[attempt] = Verdict(verdict, reason, version, record.partition, record.offset)

    def decide(self, command, position):
        """In the order of positions nothing is ever from later, so the rows that are there are those to be seen."""
        rows, expected = self.rows.setdefault(command['order_id'], []), command['expected_version']
        if expected > len(rows):
            return 'rejected', 'version_ahead', 0
        row = rows[expected - 1] if expected else None
        following = rows[expected] if expected < len(rows) else None
        if following and following.command_id == command['command_id']:
            if following.fingerprint != command['fingerprint']:
                return 'rejected', 'key_reused', expected + 1
            return ('created' if command['kind'] == 'create' else 'applied'), 'none', expected + 1
        if row:
            refusal = self.refuse(command, row.order)
            if refusal:
                return (*refusal, expected)
        if following:
            if command['kind'] == 'create':
                return 'rejected', 'order_exists', 1
            if command['kind'] == 'transition' and following.order['status'] == command['payload']['target']:
                return 'unchanged', 'none', expected + 1
            return 'rejected', 'version_conflict', expected
        order = self.make(command, row.order if row else None)
        rows.append(Row(order, position, command['command_id'], command['attempt_id'], command['fingerprint']))
        return ('created' if command['kind'] == 'create' else 'applied'), 'none', expected + 1

    @staticmethod
    def refuse(command, order):
        """What the row itself says against the command, or that it is there already."""
        if command['kind'] == 'transition':
            target = command['payload']['target']
            if order['status'] == target:
                return 'unchanged', 'none'
            return None if target in NEXT.get(order['status'], ()) else ('rejected', 'illegal_transition')
        return None if order['status'] in AMENDABLE else ('rejected', 'not_amendable')

    @staticmethod
    def make(command, before):
        payload, time = command['payload'], time_text(command['time_ms'])
        if before is None:
            return {'order_id': command['order_id'], 'customer_name': payload['customer_name'], 'items': payload['items'],
                    'metadata': payload.get('metadata', {}), 'currency': payload['currency'], 'total': payload['total'],
                    'status': 'created', 'version': 1, 'created_at': time, 'updated_at': time}
        order = {**before, 'version': before['version'] + 1, 'updated_at': max(time, before['updated_at'])}
        if command['kind'] == 'transition':
            order['status'] = payload['target']
        else:
            order.update({key: payload[key] for key in ('customer_name', 'items', 'metadata') if key in payload})
            order['total'] = sum(item['quantity'] * item['unit_price'] for item in order['items'])
        return order
