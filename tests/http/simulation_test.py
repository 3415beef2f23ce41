"""The hot-key lab over HTTP, on a real orderly and real Redis servers: controls, live events, history, downloads."""
import json
import os
import re
import unittest

from http_case import LAMP, wait_for
from simulation_case import NOWHERE, SimulationCase, children_of


class Simulation(SimulationCase):
    def test_the_defaults(self):
        """{} on a machine with nothing configured; and the shape that somebody else's page reads."""
        before = self.status()
        self.assertEqual(before['status'], 'stopped')
        tables = self.get('/simulation/parameters')[2]
        started = self.start({})
        self.assertEqual(set(started), {'message', 'config', 'run_id'})
        self.assertEqual(started['config'], {row['name']: row['default'] for row in tables['parameters']})
        self.assert_version_7(started['run_id'])
        self.assertEqual(self.status()['status'], 'running')  # at once
        wait_for('a hot key', lambda: self.status()['hot_key'], 60)
        status = self.status()
        self.assertRegex(status['hot_key'], f'^orderly:lab:{started["run_id"]}:[0-9]+$')
        self.assertGreater(status['hot_key_memory'], 100)
        self.assertIsInstance(status['hot_key_value'], str)
        self.assertEqual((status['run_id'], status['profile'], status['config']), (started['run_id'], 'default', started['config']))
        self.assertEqual(status['tick']['hot_key']['name'], status['hot_key'])
        self.assertGreater(status['elapsed_s'], 0)
        self.assertIsNone(status['error'])
        self.assertEqual(self.post('/simulation/stop', None)[2], {'message': 'Simulation stopped'})
        self.assertEqual(self.status()['status'], 'stopped')  # at once
        after = self.wait_for_phase('none')
        self.assertEqual((after['last_run']['run_id'], after['last_run']['end']), (started['run_id'], 'stopped'))

    def test_two_members(self):
        config = self.start({'hot_clients': 50, 'normal_clients': 10})['config']
        self.assertEqual((config['hot_clients'], config['normal_clients']), (50, 10))

    def test_no_body(self):
        status, _, body = self.post('/simulation/start/', None)
        self.assertEqual((status, body['config']['profile']), (200, 'default'))

    def test_one_at_a_time(self):
        self.assert_problem(self.post('/simulation/stop', None), 400, 'simulation_not_running')
        first = self.start()
        self.assert_problem(self.post('/simulation/start', {}), 400, 'simulation_running')
        self.assertEqual(self.status()['run_id'], first['run_id'])
        self.assertEqual(self.post('/simulation/stop', None)[0], 200)
        self.assert_problem(self.post('/simulation/stop', None), 400, 'simulation_not_running')

    def test_start_while_the_last_one_ends(self):
        first = self.start()
        self.wait_for_phase('running')
        self.assertEqual(self.post('/simulation/stop', None)[0], 200)
        second = self.start()
        self.assertEqual((self.status()['run_id'], self.status()['status']), (second['run_id'], 'running'))
        self.wait_for_phase('running')
        self.assertEqual(self.get('/simulation/runs')[2][0]['run_id'], first['run_id'])

    def test_every_bad_parameter_is_named(self):
        rows = self.get('/simulation/parameters')[2]['parameters']
        too_low = {row['name']: row['minimum'] - 1 if row['choices'] is None else 'nonsense' for row in rows}
        wrong_type = {row['name']: [] for row in rows}
        for body in too_low, wrong_type:
            self.assert_problem(self.post('/simulation/start', {**body, 'a/b~c': 1}), 422, 'invalid_simulation',
                                [f'/{name}' for name in body] + ['/a~1b~0c'])
        too_high = {row['name']: row['maximum'] + 1 for row in rows if row['choices'] is None and row['name'] != 'seed'}
        self.assert_problem(self.post('/simulation/start', too_high), 422, 'invalid_simulation', [f'/{name}' for name in too_high])
        self.assert_problem(self.post('/simulation/start', [1]), 422, 'invalid_simulation', [''])
        problem = self.assert_problem(self.post('/simulation/start', '{"keys":', {'Content-Type': 'application/json'}), 400, 'invalid_json')
        self.assertEqual(problem['position']['offset'], 8)
        self.assertEqual(self.post('/simulation/start', 'keys=1', {'Content-Type': 'text/plain'})[0], 415)
        self.assertEqual(self.status()['status'], 'stopped')

    def test_other_websites_are_refused(self):
        for path in '/simulation/start', '/simulation/stop':
            self.assert_problem(self.post(path, None, {'Origin': 'https://elsewhere.example'}), 403, 'foreign_origin')
            self.assert_problem(self.post(path, None, {'Host': 'elsewhere.example'}), 403, 'foreign_host')
        self.assertEqual(self.status()['status'], 'stopped')

    def test_live_events(self):
        events = self.events()
        self.assertIn(b'Content-Type: text/event-stream', events.head)
        run_id = self.start({'duration_s': 4})['run_id']
        events.wait_for(run_id, 'tick', 2)
        late = self.events()  # joins in the middle, and leaves again: nobody minds
        late.wait_for(run_id, 'tick')
        late.close()
        [end] = events.wait_for(run_id, 'end')
        self.assertEqual((end['end'], end['summary']['run_id']), ('duration', run_id))
        self.assertEqual([tick['second'] for tick in events.of(run_id, 'tick')], [0, 1, 2, 3])
        self.assertEqual([event['event'] for event in events.since(run_id)], ['ready'] + 4 * ['tick'] + ['end'])
        numbers = [int(event['id']) for event in events.all if 'id' in event]
        self.assertEqual(numbers, sorted(set(numbers)))
        self.assertEqual(events.all[0], {'retry': '2000'})

    def test_a_client_that_leaves_stops_nothing(self):
        events = self.events()
        events.wait_for(self.start()['run_id'], 'tick')
        events.close()
        second = self.status()['tick']['second']
        wait_for('the run to go on', lambda: self.status()['tick']['second'] > second + 1, 60)
        self.assertEqual(self.status()['status'], 'running')

    def test_head_of_the_stream(self):
        answer = self.raw(b'HEAD /simulation/events HTTP/1.1\r\nHost: localhost\r\n\r\n')
        self.assertTrue(answer.startswith(b'HTTP/1.1 200 '), answer)
        self.assertTrue(answer.endswith(b'\r\n\r\n'), answer)

    def test_files_of_a_run(self):
        run_id = self.start({'duration_s': 1.5, 'seed': 7})['run_id']
        path = f'/simulation/runs/{run_id}'
        self.assert_problem(self.get(path), 404, 'not_found')  # it has not ended
        self.wait_for_phase('none')
        runs = self.get('/simulation/runs/')[2]
        self.assertEqual((runs[0]['run_id'], runs[0]['seed'], runs[0]['end']), (run_id, 7, 'duration'))
        status, headers, result = self.get(path)
        self.assertEqual((status, result['run_id'], result['config']['seed']), (200, run_id, 7))
        self.assertEqual(headers['Content-Disposition'], f'inline; filename="orderly-run-{run_id}.json"')
        self.assertEqual(result['totals']['hot']['sent'], result['totals']['hot']['offered'])
        self.assertTrue(result['target_is_private'])
        status, headers, page = self.get(path + '/report')
        self.assertEqual((status, headers['Content-Type']), (200, 'text/html; charset=utf-8'))
        self.assertEqual(headers['Content-Security-Policy'], "default-src 'none'; style-src 'unsafe-inline'")
        self.assertIn(run_id, page)
        self.assertIn('<svg', page)
        self.assertNotIn('<script', page)
        status, headers, seconds = self.get(path + '/seconds.csv')
        self.assertEqual((status, headers['Content-Type']), (200, 'text/csv; charset=utf-8'))
        self.assertEqual(headers['Content-Disposition'], f'attachment; filename="orderly-run-{run_id}-seconds.csv"')
        self.assertEqual(len(seconds.splitlines()), 3)
        plots = {}
        for query in '', '?class=hot&time=response', '?class=normal', '?time=service', '?class=normal&time=service':
            status, headers, plots[query] = self.get(path + '/latency.hgrm' + query)
            self.assertEqual(status, 200)
            self.assertRegex(plots[query], r'Value +Percentile +TotalCount')
        self.assertEqual(plots[''], plots['?class=hot&time=response'])
        self.assertEqual(len(set(plots.values())), 4)
        self.assertIn('-normal-service.hgrm"', headers['Content-Disposition'])
        for query, pointer in ('?class=cold', '/class'), ('?time=', '/time'), ('?class=normal&time=hot', '/time'):
            self.assert_problem(self.get(path + '/latency.hgrm' + query), 422, 'invalid_query', [pointer])

    def test_runs_that_are_not_there(self):
        for end in '', '/report', '/seconds.csv', '/latency.hgrm':
            self.assert_problem(self.get(f'/simulation/runs/{NOWHERE}{end}'), 404, 'not_found')
            self.assert_problem(self.get(f'/simulation/runs/..%2e{end}'), 422, 'invalid_run_id', ['/run_id'])
        self.assert_problem(self.get('/simulation/runs/%2e%2e%2f%2e%2e/report'), 400, 'invalid_target')

    def test_the_history_has_a_limit(self):
        history = os.path.join(self.data.path, 'lab')
        for number in range(60):
            directory = os.path.join(history, f'00000000-{number:04d}-7000-8000-000000000000')
            os.mkdir(directory)
            with open(os.path.join(directory, 'summary.json'), 'w') as file:
                json.dump({'run_id': os.path.basename(directory)}, file)
        run_id = self.start({'duration_s': 0.5})['run_id']
        self.wait_for_phase('none')
        runs = [run['run_id'] for run in self.get('/simulation/runs')[2]]
        self.assertEqual((len(runs), runs[0]), (50, run_id))
        self.assertEqual(runs, sorted(runs, reverse=True))
        self.assertEqual(sorted(os.listdir(history)), sorted(runs))

    def test_the_hot_orders_of_the_service(self):
        hot, other = self.create(LAMP)[1]['order_id'], self.create(LAMP)[1]['order_id']
        connection = self.server.connection()
        self.addCleanup(connection.close)

        def read(path):
            connection.request('GET', path)
            answer = connection.getresponse()
            return answer.status, answer.read()

        def found():
            for i in range(8):
                self.assertEqual(read(f'/orders/{hot}' if i % 2 else f'/api/orders/{hot}')[0], 200)
            self.assertEqual(read(f'/orders/{other}')[0], 200)
            status = json.loads(read('/simulation/status')[1])
            return status if len(status['hot_orders']) >= 2 else None

        status = wait_for('the hot order to be named', found)
        first, second = status['hot_orders'][:2]
        self.assertEqual((first['order_id'], second['order_id']), (hot, other))
        self.assertGreater(first['reads'], 2 * second['reads'])
        self.assertAlmostEqual(first['share'], first['reads'] / status['hot_orders_total'])

        def in_metrics():
            found()
            lines = self.get('/metrics')[2]
            return [int(float(number)) for number in re.findall(r'^orderly_hot_order_reads\{rank="[12]"\} (\S+)', lines, re.M)]

        ranks = wait_for('the ranks', lambda: (ranks := in_metrics()) and ranks[1] > 0 and ranks)
        self.assertGreater(ranks[0], ranks[1])
        text = self.get('/metrics')[2]
        self.assertGreater(float(re.search(r'^orderly_order_reads_watched_total (\S+)', text, re.M)[1]), 8)
        self.assertNotIn(hot, text)  # ids are not for metrics

    def test_no_child_without_a_run(self):
        self.wait_for_phase('none')
        self.assertEqual(children_of(self.server.process.pid), [])


if __name__ == '__main__':
    unittest.main()
