"""Every check of the fault suite is seen to find what it is for, and to be silent on a sound record of the same run."""
import copy
import json
import unittest

import orderly_path  # noqa: F401
import checks
import listings
from ledger import Command, Request, Trouble
from model import Model
from topics import Record, parse_headers, parse_kcat
from victims import plan

TTL_S = 5
ITEMS = [{'item': 'lamp', 'quantity': 2, 'unit_price': 3}]
ORDER = '01890000-0000-7000-8000-00000000000'   # and a digit
NAMED = '6ba7b810-9dad-41d1-80b4-00c04fd430c8'


def command(offset, attempt, order_id, kind='create', expected=0, **payload):
    if kind == 'create':
        payload = {'customer_name': 'Ada', 'currency': 'EUR', 'total': 6, 'items': ITEMS, **payload}
    value = {'schema': 1, 'kind': kind, 'rules': 1, 'order_id': order_id, 'command_id': 'c' + attempt, 'attempt_id': attempt,
             'fingerprint': attempt, 'expected_version': expected, 'time_ms': 1000 + offset, 'minted': False, 'payload': payload}
    return Record(0, offset, 1000 + offset, order_id, json.dumps(value).encode(), {})


def request(kind, began, **fields):
    defaults = {'api': 'api-1', 'path': '/orders', 'ended': began + 0.1, 'wall': 0.0, 'status': 200}
    return Request(kind, began=began, **{**defaults, **fields})


def create(began, order_id, tag, **fields):
    sent = {'customer_name': 'Ada', 'items': ITEMS, 'metadata': {'tag': tag}}
    return request('create', began, **{'order_id': order_id, 'sent': sent, 'status': 201, **fields})


class Run:
    """A small run that is all right: three orders, one with two versions, one refused for its id, one never answered."""

    def __init__(self):
        self.commands = [command(0, 'a0', ORDER + '0', metadata={'tag': 't0'}), command(1, 'a1', NAMED, metadata={'tag': 't1'}),
                         command(2, 'a2', NAMED, metadata={'tag': 't2'}),
                         command(3, 'a3', ORDER + '0', 'transition', 1, target='confirmed'),
                         command(4, 'a4', ORDER + '0', 'transition', 1, target='cancelled'),
                         command(5, 'a5', ORDER + '1', metadata={'tag': 't3'})]
        self.model = Model()
        for record in self.commands:
            self.model.add(record)
        rows = self.model.rows
        self.store = {order_id: {'order': copy.deepcopy(found[-1].order), 'history': [
            {'position': row.position, 'command_id': row.command_id, 'attempt_id': row.attempt_id, 'fingerprint': row.fingerprint,
             'order': copy.deepcopy(row.order)} for row in found]} for order_id, found in rows.items() if found}
        self.events = [self.event(record) for record in self.commands]
        first, second = (row.order for row in rows[ORDER + '0'])
        self.requests = [
            create(0, ORDER + '0', 't0'), create(1, NAMED, 't1', named=True),
            create(2, NAMED, 't2', named=True, status=409, code='order_exists'),
            create(3, '', 't3', status=503, code='outcome_unknown', retry_after='5'),
            create(3, '', 't4', status=503, code='log_unavailable', retry_after='1'),
            request('get', 4, order_id=ORDER + '0', fresh=True, body=dict(first)),
            request('get', 5, order_id=ORDER + '0', fresh=True, body=dict(second)),
            request('get', 5.5, order_id=ORDER + '0', body=dict(first)),                       # from a cache, within the TTL
            request('get', 20, order_id=ORDER + '0', body={'order_id': ORDER + '0', 'status': 'confirmed'}),
            request('get', 6, order_id=ORDER + '1', status=404, code='not_found', body={}),    # nobody was told of it
            request('list', 6, body=[dict(second), dict(rows[NAMED][0].order)]),
        ]
        self.requests[-1].body.sort(key=lambda order: (order['created_at'], order['order_id']), reverse=True)
        self.sent = [Command('a3', 'ca3', ORDER + '0', 'transition', 1, 'confirmed', 4, 'ok', 0, 3),
                     Command('a4', 'ca4', ORDER + '0', 'transition', 1, 'cancelled', 4, 'unknown'),
                     Command('a9', 'ca9', ORDER + '0', 'transition', 1, 'cancelled', 4, 'unavailable')]
        self.troubles, self.settled = [], []

    def event(self, record):
        given = record.json()
        verdict = self.model.verdicts[given['attempt_id']]
        is_first = verdict.verdict in ('created', 'applied')
        order = copy.deepcopy(self.model.rows[given['order_id']][verdict.version - 1].order) if verdict.version else None
        value = {'attempt_id': given['attempt_id'], 'order_id': given['order_id'], 'verdict': verdict.verdict, 'reason': verdict.reason,
                 'first': is_first, 'partition': 0, 'offset': record.offset, 'order': order}
        event_id = f'{given["order_id"]}/{verdict.version}' if is_first else given['attempt_id']
        return Record(0, record.offset, 0, given['order_id'], json.dumps(value).encode(), {'ce_id': event_id})

    def change(self, index, **fields):
        event = self.events[index]
        value = {**event.json(), **fields}
        self.events.append(Record(0, 100 + len(self.events), 0, event.key, json.dumps(value).encode(), event.headers))

    def problems(self):
        yield from self.model.problems
        yield from checks.check_answers(self.requests, self.troubles)
        yield from checks.check_log(self.requests, self.commands)
        yield from checks.check_commands(self.sent, self.commands)
        yield from checks.check_feed(self.events, self.model)
        yield from checks.check_verdicts(self.requests, self.model, self.commands)
        yield from checks.check_reads(self.requests, self.troubles, self.model.rows, TTL_S, self.settled)
        yield from checks.check_store(self.store, self.model)
        yield from checks.check_acknowledged(self.requests, self.store)


class ChecksTest(unittest.TestCase):
    def setUp(self):
        self.run_ = Run()

    def found(self, *words):
        problems = list(self.run_.problems())
        for word in words:
            self.assertTrue(any(word in problem for problem in problems), f'{word!r} is not in {problems}')

    def test_a_sound_run_has_no_problems(self):
        self.assertEqual(list(self.run_.problems()), [])
        self.run_.events += self.run_.events[1:4]   # repeats are allowed
        self.assertEqual(list(self.run_.problems()), [])

    # --- the store ---

    def test_a_lost_order(self):
        del self.run_.store[NAMED]
        self.found('is lost', 'answered 201 and lost')

    def test_a_doubled_row(self):
        history = self.run_.store[NAMED]['history']
        history.append(copy.deepcopy(history[0]))
        self.found('2 history rows instead of 1')

    def test_an_order_stored_twice(self):
        self.run_.store[ORDER + '7'] = copy.deepcopy(self.run_.store[ORDER + '0'])
        self.found('not in the log', '2 times in the store')

    def test_a_status_turned_back(self):
        entry = self.run_.store[ORDER + '0']
        entry['order'] = entry['history'][0]['order']
        self.found('the store shows')

    def test_other_content(self):
        self.run_.store[NAMED]['history'][0]['order']['customer_name'] = 'Eve'
        self.found('has another content', 'answered 201 and other content')

    def test_a_row_of_another_attempt(self):
        self.run_.store[ORDER + '0']['history'][1]['attempt_id'] = 'a4'
        self.found('was written by a4')

    # --- the log ---

    def test_an_acknowledged_order_that_is_not_in_the_log(self):
        self.run_.requests.append(create(9, ORDER + '8', 't8'))
        self.found('0 messages in the log instead of 1 to 1')

    def test_a_message_appended_twice(self):
        again = copy.deepcopy(self.run_.commands[0])
        again.offset = 6
        self.run_.commands.append(again)
        self.run_.model.add(again)
        self.found('2 messages in the log', 'a0 is in the log twice')

    def test_a_refused_order_that_is_in_the_log_all_the_same(self):
        self.run_.requests[4].sent['metadata']['tag'] = 't3'
        self.found('1 messages in the log instead of 0 to 0')

    def test_one_id_given_twice(self):
        self.run_.requests.append(create(9, ORDER + '0', 't3'))
        self.found('was given by 2 answers')

    def test_commands_past_the_api(self):
        self.run_.sent[0].offset = 9
        self.run_.sent[2].attempt_id = 'a5'
        self.found('was acknowledged at 0/9', 'ended with unavailable')

    # --- the feed ---

    def test_a_missing_event(self):
        del self.run_.events[2]
        self.found('no event for attempt a2')

    def test_a_changed_verdict(self):
        self.run_.change(4, verdict='applied', reason='none')
        self.found('the verdict on a4 changed', 'two contents under ce_id a4')

    def test_a_wrong_verdict(self):
        event = self.run_.events[4]
        event.value = json.dumps({**event.json(), 'reason': 'illegal_transition'}).encode()
        self.found('by the rules')

    def test_a_version_that_goes_back_on_the_feed(self):
        self.run_.events[0], self.run_.events[3] = self.run_.events[3], self.run_.events[0]
        self.found('went from version 0 to 2')

    def test_another_content_under_one_id(self):
        order = {**self.run_.events[0].json()['order'], 'customer_name': 'Eve'}
        self.run_.change(0, order=order)
        self.found('two contents under ce_id')

    # --- answers ---

    def test_a_500_and_a_503_without_a_time(self):
        self.run_.requests.append(request('list', 9, status=500, body={}))
        self.run_.requests.append(request('list', 9, status=503, code='store_unavailable', body={}))
        self.found('an answer that cannot be', '503 without Retry-After')

    def test_a_hang_unless_the_process_was_frozen(self):
        slow = request('list', 9, ended=9 + checks.ANSWER_LIMIT_S + 3, body=[])
        self.run_.requests.append(slow)
        self.found('took longer than')
        self.run_.troubles.append(Trouble('api-1', 'frozen', 10, 14))
        self.assertEqual(list(self.run_.problems()), [])

    def test_a_cut_connection_unless_the_process_was_killed(self):
        self.run_.requests.append(request('list', 9, status=0, connected=5, error='reset'))
        self.found('no answer from a process that was not killed')
        self.run_.troubles.append(Trouble('api-1', 'killed', 8, 8.5))
        self.assertEqual(list(self.run_.problems()), [])

    def test_a_verdict_other_than_the_answer(self):
        self.run_.requests[1].status, self.run_.requests[2].status = 409, 201
        self.found('answered 409, but created', 'answered 201, but rejected')

    # --- reads ---

    def test_an_older_version_past_the_caches(self):
        self.run_.requests.append(request('get', 5.2, order_id=ORDER + '0', fresh=True, body=self.run_.requests[5].body))
        self.found('version 1 after the store had shown 2')

    def test_a_cached_version_older_than_the_bound(self):
        self.run_.requests.append(request('get', 5.2 + TTL_S + 2, order_id=ORDER + '0', body=self.run_.requests[5].body))
        self.run_.requests[8].body['status'] = 'created'
        self.found('version 1 after the store had shown 2', 'status created')

    def test_not_found_by_the_process_that_acknowledged(self):
        self.run_.requests.append(request('get', 3, order_id=ORDER + '0', status=404, code='not_visible_yet', body={}))
        self.found('not found by the process')
        self.run_.troubles.append(Trouble('api-1', 'killed', 2.5, 2.8))
        self.assertEqual(list(self.run_.problems()), [])

    def test_not_found_without_saying_that_it_is_young(self):
        self.run_.requests.append(request('get', 3, api='api-2', order_id=ORDER + '0', status=404, code='not_found',
                                          wall=0x018900000000 / 1000 + 20, body={}))
        self.found('404 not_found for an acknowledged order')

    def test_not_found_after_the_store_had_it(self):
        self.run_.requests.append(request('get', 6, api='api-2', order_id=ORDER + '0', status=404, code='not_visible_yet', body={}))
        self.run_.requests.append(request('get', 6, api='api-2', order_id=NAMED, status=404, code='not_found', body={}))
        self.found('the store has had it', 'its verdict had come')

    def test_what_was_there_between_two_loads(self):
        self.run_.settled.append((ORDER + '1', 5, 1))
        self.found('the store has had it')

    def test_a_page_without_an_acknowledged_order(self):
        self.run_.requests.append(request('list', 7, body=[dict(self.run_.model.rows[ORDER + '0'][0].order)]))
        self.found('is not on the first page')

    def test_a_page_out_of_order(self):
        self.run_.requests[-1].body.reverse()
        self.found('a page out of order')

    def test_content_that_no_version_had(self):
        self.run_.requests[5].body['total'] = 7
        self.found('another content than version 1')


class ListingsTest(unittest.TestCase):
    def problem(self, change):
        orders = [row.order for rows in Run().model.rows.values() for row in rows[-1:]]
        orders.sort(key=lambda order: (order['created_at'], order['order_id']), reverse=True)
        found = [dict(order) for order in orders]
        change(found)
        return listings.listing_problem(found, {order['order_id']: order for order in orders}) or 'nothing'

    def test_what_a_list_may_have_wrong(self):
        self.assertEqual(self.problem(lambda found: None), 'nothing')
        self.assertIn('1 missing', self.problem(lambda found: found.pop()))
        self.assertIn('1 orders twice', self.problem(lambda found: found.append(found[0])))
        self.assertIn('1 foreign', self.problem(lambda found: found.append({**found[0], 'order_id': NAMED[::-1]})))
        self.assertIn('not newest first', self.problem(lambda found: found.reverse()))
        self.assertIn('other content', self.problem(lambda found: found[0].update(status='paid')))


class ReadersTest(unittest.TestCase):
    def test_kcat_output_with_newlines_and_empty_fields(self):
        out = b'3 17 1000 2 5\nab{\n\n\xff}\nce_id=x/1,ce_reasontext=a, b=c,ce_sourceoffset=4\n0 0 5 -1 -1\n\n\n'
        first, second = parse_kcat(out)
        self.assertEqual((first.partition, first.offset, first.key, first.value), (3, 17, 'ab', b'{\n\n\xff}'))
        self.assertEqual(first.headers, {'ce_id': 'x/1', 'ce_reasontext': 'a, b=c', 'ce_sourceoffset': '4'})
        self.assertEqual((second.key, second.value, second.headers), ('', b'', {}))
        self.assertEqual(parse_headers(''), {})

    def test_plans_repeat_and_cover_every_victim(self):
        names = ['api-1', 'api-2', 'consumer-1', 'consumer-2', 'kafka', 'cassandra', 'redis']
        plans = [plan('1', number, names) for number in range(30)]
        self.assertEqual(plans, [plan('1', number, names) for number in range(30)])
        self.assertEqual(len({(blows[0].name.split('-')[0], blows[0].way) for blows in plans[:15]}), 15)
        self.assertTrue(all(len(blows) == 2 for blows in plans[15:]))


if __name__ == '__main__':
    unittest.main()
