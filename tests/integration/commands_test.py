"""The commands as a user types them: setup, check, config, import, export, demo, and how the services start and stop."""
import json
import os
import sys
import threading
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
from orderly import DataDirectory, Process, export, free_port, run, wait_for  # noqa: E402

WITH_CASSANDRA = os.environ.get('ORDERLY_WITH_CASSANDRA') == 'ON'
ORDER = {'customer_name': 'Ada', 'item': 'lamp', 'quantity': 2}


class CommandsTest(unittest.TestCase):
    def setUp(self):
        directory = DataDirectory()
        self.data = directory.__enter__().path
        self.root = directory.root
        self.addCleanup(directory.__exit__)

    def write(self, name, lines):
        path = os.path.join(self.root, name)
        with open(path, 'w') as file:
            file.writelines(line + '\n' for line in lines)
        return path

    def test_setup_and_check(self):
        code, out, _ = run(self.data, 'check')
        self.assertEqual(code, 1)
        self.assertIn('orderly setup', out)
        for _ in range(2):
            self.assertEqual(run(self.data, 'setup')[0], 0)
        code, out, _ = run(self.data, 'check')
        self.assertEqual((code, out.count('ok ')), (0, 3), out)

    def test_config_names_what_is_wrong(self):
        code, out, _ = run(self.data, 'config', '--json', '--ports', '8123')
        self.assertEqual(code, 0)
        self.assertIn('8123', out)
        json.loads(out)
        for arguments, settings, word in ((['--ports', 'x'], {}, 'ports'), ([], {'prots': '1'}, 'ORDERLY_PORTS'),
                                          ([], {'batch_max': '0'}, 'ORDERLY_BATCH_MAX'), (['--nonsense'], {}, 'nonsense')):
            code, _, error = run(self.data, 'serve', *arguments, **settings)
            self.assertEqual(code, 2, error)
            self.assertIn(word.lower(), error.lower())
        self.assertFalse(os.path.exists(self.data), 'a refused start leaves nothing behind')

    def test_half_a_cluster_is_refused(self):
        for name, other in (('KAFKA_BOOTSTRAP_SERVERS', 'CASSANDRA_CONTACT_POINTS'),
                            ('CASSANDRA_CONTACT_POINTS', 'KAFKA_BOOTSTRAP_SERVERS')):
            code, error = self.run_with({name: '127.0.0.1'})
            self.assertEqual(code, 2)
            self.assertIn(f'{name} (environment) is set and {other} is not', error)

    def test_a_start_waits_for_a_cluster_and_says_for_what(self):
        kafka, cassandra = free_port(), free_port()
        environment = {'KAFKA_BOOTSTRAP_SERVERS': f'127.0.0.1:{kafka}', 'CASSANDRA_CONTACT_POINTS': f'["127.0.0.1:{cassandra}"]'}
        with Process(self.data, wait=False, environment=environment) as process:
            if WITH_CASSANDRA:
                wait_for('the start to wait', lambda: 'waiting for a service' in process.log())
                self.assertIn(f'127.0.0.1:{cassandra}', process.log())
                self.assertEqual(process.stop(), 0)
            else:
                self.assertEqual(process.process.wait(30), 1)
                self.assertIn('built without Cassandra', process.log())

    def run_with(self, environment):
        with Process(self.data, wait=False, environment=environment) as process:
            return process.process.wait(30), process.log()

    def test_import_is_repeatable_and_refuses_bad_lines(self):
        good = [json.dumps({**ORDER, 'quantity': n + 1}) for n in range(1500)]
        bad = self.write('bad.ndjson', good[:2] + ['{"customer_name":"Ada","item":"lamp","quantity":"2"}', '{'])
        code, _, error = run(self.data, 'import', '--id', 'bad', bad)
        self.assertEqual(code, 1)
        self.assertIn('line 3', error)
        self.assertIn('/quantity', error)
        self.assertIn('line 4', error)
        path = self.write('orders.ndjson', good)
        for _ in range(2):
            self.assertEqual(run(self.data, 'import', '--id', 'first', path)[0], 0)
        with Process(self.data) as server:
            server.wait_until_processed()
            self.assertEqual(sorted(order['quantity'] for order in server.orders()), list(range(1, 1501)))
            self.assertEqual(server.stop(), 0)
        self.assertEqual(run(self.data, 'import', path)[0], 2)  # neither --id nor --restore

    def test_export_and_restore(self):
        with Process(self.data) as server:
            for number in range(300):
                self.assertEqual(server.post('/orders', {**ORDER, 'metadata': {'number': str(number)}})[0], 201)
            server.wait_until_processed()
            while_serving = os.path.join(self.root, 'backup.ndjson')
            self.assertEqual(run(self.data, 'export', '--out', while_serving)[0], 0)
            self.assertEqual(run(self.data, 'export', '--out', while_serving)[0], 1)  # is not overwritten
            code, _, error = run(self.data, 'import', '--restore', while_serving)
            self.assertEqual(code, 1)
            self.assertIn('a consumer is running', error)
            self.assertEqual(server.stop(), 0)
        other = os.path.join(self.root, 'other')
        for _ in range(2):
            self.assertEqual(run(other, 'import', '--restore', while_serving)[0], 0)

        def logical(path):  # restored rows count as written before everything
            lines = [json.loads(line) for line in export(path)]
            for line in lines:
                for row in line['history']:
                    row['position'] = None
            return sorted(map(json.dumps, lines))

        self.assertEqual(len(export(other)), 300)
        self.assertEqual(logical(other), logical(self.data))

    def test_interrupted_export_goes_on(self):
        self.assertEqual(run(self.data, 'import', '--id', 'x', self.write('o', [json.dumps(ORDER)] * 1000))[0], 0)
        with Process(self.data) as server:
            server.wait_until_processed()
            server.stop()
        whole = export(self.data)
        path = os.path.join(self.root, 'out')
        with open(path, 'w') as file:  # as if killed after a mark at 0: what follows the mark is written again
            file.write('half a li')
        with open(path + '.progress', 'w') as file:
            file.write('orderly-progress 1\noffset 0\ncount 0\ncursor \n')
        self.assertEqual(run(self.data, 'export', '--out', path)[0], 0)
        with open(path) as file:
            self.assertEqual(sorted(file.read().splitlines()), whole)
        self.assertFalse(os.path.exists(path + '.progress'))

    def test_demo(self):
        with Process(self.data) as server:
            code, _, error = run(self.data, 'demo', '--rate', '50', '--duration', '1', '--url',
                                 f'http://127.0.0.1:{server.port}/orders/')
            self.assertEqual(code, 0, error)
            server.wait_until_processed()
            self.assertEqual(len(list(server.orders())), 50)
        code, _, error = run(self.data, 'demo', '--rate', '100', '--duration', '1', '--url', f'http://127.0.0.1:{free_port()}/')
        self.assertEqual(code, 1)
        self.assertIn('orderly serve', error)

    def test_sigterm_finishes_what_is_under_way(self):
        with Process(self.data) as server:
            answers, stop = [], threading.Event()

            def send():
                connection = server.connection()
                while not stop.is_set():
                    try:
                        connection.request('POST', '/orders', json.dumps(ORDER), {'Content-Type': 'application/json'})
                        answer = connection.getresponse()
                        body = json.loads(answer.read())
                    except OSError:
                        return
                    except Exception:  # a cut connection has many names
                        return
                    if answer.status == 201:
                        answers.append(body['order_id'])
                    else:
                        self.assertEqual(answer.status, 503)

            threads = [threading.Thread(target=send) for _ in range(8)]
            for thread in threads:
                thread.start()
            wait_for('some answers', lambda: len(answers) > 200)
            self.assertEqual(server.stop(), 0)
            stop.set()
            for thread in threads:
                thread.join()
            self.assertNotIn('drain timeout', server.log())
        with Process(self.data) as server:
            server.wait_until_processed()
            # Nothing answered is lost, and nothing was stored whose client got no answer.
            self.assertEqual(set(answers), {order['order_id'] for order in server.orders()})

    def test_consumers_share_and_take_over(self):
        with Process(self.data, 'api') as api, Process(self.data, 'consumer') as first:
            posted = [api.post('/orders', ORDER)[2]['order_id'] for _ in range(100)]

            def processed():
                return api.get('/orders?limit=1')[0] == 200 and len(export(self.data)) == len(posted)

            wait_for('the first consumer', processed)
            with Process(self.data, 'consumer'):
                first.kill()
                posted += [api.post('/orders', ORDER)[2]['order_id'] for _ in range(100)]
                wait_for('the second consumer to take all partitions over', processed)
            self.assertEqual({json.loads(line)['order']['order_id'] for line in export(self.data)}, set(posted))


if __name__ == '__main__':
    unittest.main()
