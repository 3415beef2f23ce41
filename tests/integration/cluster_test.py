"""Orderly on real Kafka, Cassandra and Redis, as a user sees it: setup, check, serve, both dialects, the way over from the
embedded engines, and what is said when a service is not there. Runs under `deploy/local/cluster exec`."""
import json
import os
import re
import subprocess
import sys
import unittest
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
from orderly import BINARY, DataDirectory, Process, clean_environment, free_port, run  # noqa: E402

CLUSTER = {name: os.environ[name] for name in ('KAFKA_BOOTSTRAP_SERVERS', 'CASSANDRA_CONTACT_POINTS', 'REDIS_HOST', 'REDIS_PORT')}
ORDER = {'customer_name': 'Ada', 'item': 'lamp', 'quantity': 2}


class ClusterTest(unittest.TestCase):
    def setUp(self):
        directory = DataDirectory()
        self.data = directory.__enter__().path
        self.root = directory.root
        self.addCleanup(directory.__exit__)
        self.environment = {**CLUSTER, 'ORDERLY_NAMESPACE': 't' + uuid.uuid4().hex[:10], 'ORDERLY_PARTITIONS': '3'}

    def command(self, name, *arguments, **environment):
        done = subprocess.run([BINARY, name, *arguments], capture_output=True, text=True, timeout=300, cwd=self.root,
                              env={**clean_environment(), 'ORDERLY_DATA_DIR': self.data, **self.environment, **environment})
        return done.returncode, done.stdout, done.stderr

    def serve(self, command='serve'):
        return Process(self.data, command, environment=self.environment)

    def test_orders_go_through_the_services(self):
        code, out, _ = self.command('check')
        self.assertEqual(code, 1, out)
        self.assertEqual(out.count('orderly setup'), 2, out)
        for _ in range(2):
            code, out, error = self.command('setup')
            self.assertEqual((code, 'kafka log and cassandra store, 3 partitions' in out), (0, True), out + error)
        code, out, _ = self.command('check')
        self.assertEqual((code, out.count('ok ')), (0, 3), out)
        with self.serve() as server:
            status, _, order = server.post('/orders/', ORDER)
            self.assertEqual(status, 201, order)
            status, _, short = server.post('/api/orders', ORDER)
            self.assertEqual(status, 201, short)
            named = str(uuid.uuid4())
            status, _, answer = server.post('/orders', {**ORDER, 'order_id': named})
            self.assertEqual((status, answer['order_id']), (201, named))
            status, _, answer = server.post('/orders', {**ORDER, 'order_id': named})
            self.assertEqual((status, answer['code']), (409, 'order_exists'))
            server.wait_until_processed()
            stored = {'Cache-Control': 'no-cache'}
            self.assertEqual(server.get('/orders/' + order['order_id'], stored)[2], order)
            self.assertEqual(server.get('/api/orders/' + short['order_id'])[2], {'order_id': short['order_id'], 'status': 'created'})
            self.assertEqual({o['order_id'] for o in server.orders()}, {order['order_id'], short['order_id'], named})
            self.assertEqual(len(list(server.orders(customer_name='Ada', status='created'))), 3)
            self.assertEqual(list(server.orders(status='paid')), [])
            status, _, ready = server.get('/health/ready')
            self.assertEqual((status, ready['status']), (200, 'ready'), ready)
            self.assertTrue(any(advice['part'] == 'log' and 'replica' in advice['text'] for advice in ready['advice']), ready)
            self.assertEqual(server.stop(), 0)
        with self.serve('api') as other:  # another process finds it in Redis or in the store
            self.assertEqual(other.get('/orders/' + order['order_id'])[2], order)

    def test_serve_wants_a_setup(self):
        with Process(self.data, 'serve', wait=False, environment=self.environment) as server:
            self.assertEqual(server.process.wait(60), 1)
            self.assertIn('orderly setup', server.log())

    def test_orders_come_over_from_the_embedded_engines(self):
        same = {'namespace': self.environment['ORDERLY_NAMESPACE']}
        with Process(self.data, **same) as server:
            for n in range(20):
                self.assertEqual(server.post('/orders', {**ORDER, 'quantity': n + 1})[0], 201)
            server.wait_until_processed()
            listed = list(server.orders())
            server.stop()
        backup = os.path.join(self.root, 'backup.ndjson')
        self.assertEqual(run(self.data, 'export', '--out', backup, **same)[0], 0)
        with open(backup) as file:
            before = file.read().splitlines()
        self.assertEqual(self.command('setup')[0], 0)
        for _ in range(2):  # a repeat changes nothing
            code, _, error = self.command('import', '--restore', backup)
            self.assertEqual(code, 0, error)
        code, out, error = self.command('export')
        self.assertEqual(code, 0, error)
        restored = [re.sub(r'"position":\d+', '"position":-1', line) for line in before]  # written before everything
        self.assertEqual(sorted(out.splitlines()), sorted(restored))
        with self.serve() as server:
            self.assertIn('holds orders of the embedded engines', server.log())
            self.assertEqual(list(server.orders()), listed)

    def test_a_partition_count_that_differs_is_refused_by_setup_and_reported_by_check(self):
        self.assertEqual(self.command('setup')[0], 0)
        code, _, error = self.command('setup', ORDERLY_PARTITIONS='5')
        self.assertEqual(code, 1)
        self.assertRegex(error, r'3 .*5|5 .*3')
        code, out, _ = self.command('check', ORDERLY_PARTITIONS='5')
        self.assertEqual(code, 0)
        self.assertRegex(out, r'weak +event log .*partitions')

    def test_check_names_each_service_that_is_away(self):
        self.assertEqual(self.command('setup')[0], 0)
        for name, value, part, others in (
                ('KAFKA_BOOTSTRAP_SERVERS', f'127.0.0.1:{free_port()}', 'event log', ('order store', 'order cache')),
                ('CASSANDRA_CONTACT_POINTS', f'127.0.0.1:{free_port()}', 'order store', ('event log', 'order cache')),
                ('REDIS_PORT', str(free_port()), 'order cache', ('event log', 'order store'))):
            code, out, _ = self.command('check', **{name: value})
            self.assertEqual(code, 1, out)
            failed = next(line for line in out.splitlines() if line.startswith('FAILED'))
            self.assertIn(part, failed)
            self.assertIn(value, failed)
            for other in others:
                self.assertRegex(out, f'(?m)^ok +{other}')

    def test_kafka_properties_are_checked_by_name(self):
        self.assertEqual(self.command('setup')[0], 0)
        for name, value, words in (('ORDERLY_KAFKA_ACKS', '1', 'ORDERLY_KAFKA_ACKS'), ('ORDERLY_KAFKA_LINGERMS', '1', 'ORDERLY_KAFKA_LINGERMS'),
                                   ('ORDERLY_KAFKA_LINGER_MS', 'x', 'ORDERLY_KAFKA_LINGER_MS'), ('ORDERLY_KAFKA_GROUP_ID', 'x', 'GROUP_ID')):
            code, _, error = self.command('setup', **{name: value})
            self.assertEqual(code, 1, error)
            self.assertIn(words, error)
        code, _, error = self.command('setup', ORDERLY_KAFKA_LINGER_MS='1')
        self.assertEqual(code, 0, error)
        code, out, _ = self.command('config', '--json', ORDERLY_KAFKA_SASL_PASSWORD='hunter2', ORDERLY_REDIS_PASSWORD='hunter2')
        self.assertEqual(code, 0)
        self.assertNotIn('hunter2', out)
        self.assertIn('ORDERLY_KAFKA_SASL_PASSWORD', {row['name'] for row in json.loads(out)})


if __name__ == '__main__':
    unittest.main(verbosity=2)
