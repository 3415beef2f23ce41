"""Two installations with different namespaces on one cluster do not see each other; half a cluster refuses the start."""
import os
import subprocess
import sys
import unittest

from installation import BINARY, SETTINGS, Cluster, Installation, Services
from ledger import Ledger
from load import Client
from orderly import DataDirectory, clean_environment, wait_for

SHARED_ID = '6ba7b810-9dad-41d1-80b4-00c04fd430c8'
ORDER = {'customer_name': 'Ada', 'item': 'lamp', 'quantity': 2, 'metadata': {'tag': 't'}}
COUNT = 20


class NamespaceTest(unittest.TestCase):
    def open(self, name):
        services = Services(os.environ['CLUSTER_DIR'], 1)
        installation = Installation(lambda root: Cluster(services, name, root), Ledger)
        self.addCleanup(installation.close)
        installation.add('serve-1', 'serve')
        installation.client = Client(installation.apis(), installation.ledger)
        return installation

    def post(self, installation, order_id=None):
        request = installation.client.create('serve-1', '/orders', {**ORDER, 'customer_name': installation.engine.namespace}, order_id)
        self.assertEqual(request.status, 201, request)
        return request.order_id

    def get(self, installation, order_id):
        return installation.client.get('serve-1', '/orders/', order_id, fresh=True)

    def test_two_installations_do_not_see_each_other(self):
        stem = f'n{os.getpid()}'
        a, b = self.open(stem + 'a_'), self.open(stem + 'b_')
        a.wait_until_ready()
        b.wait_until_ready()
        ids = {installation: [self.post(installation) for _ in range(COUNT)] for installation in (a, b)}
        for installation in (a, b):   # one id, two orders
            ids[installation].append(self.post(installation, SHARED_ID))
        for own, other in ((a, b), (b, a)):
            self.check_orders(own, ids[own], set(ids[other]) - {SHARED_ID})
            self.check_topics(own, ids[own])
            self.check_keys(own, ids[own], other.engine.namespace)
            self.assertEqual(set(own.export()), set(ids[own]))
            own.end_members()

    def check_orders(self, own, ids, foreign):
        for order_id in ids:
            request = self.get(own, order_id)
            self.assertEqual((request.status, request.body.get('customer_name')), (200, own.engine.namespace), request)
        for order_id in foreign:
            self.assertEqual(self.get(own, order_id).status, 404)
        listed = wait_for('the list', lambda: own.client.list('serve-1', 200).body)
        self.assertEqual({order['order_id'] for order in listed}, set(ids))

    def check_topics(self, own, ids):
        for topic in ('order-commands', 'order-events'):
            reader = own.reader(topic)
            wait_for(f'{topic} to have all', lambda: reader.read() is not None and len(reader.records) >= len(ids))
            self.assertEqual({record.key for record in reader.records}, set(ids))

    def check_keys(self, own, ids, other_namespace):
        """Redis keys of orders stand under the namespace; the shared id has a key in each."""
        environment = own.engine.environment
        out = subprocess.run(['redis-cli', '-h', environment['REDIS_HOST'], '-p', environment['REDIS_PORT'], '--scan'],
                             capture_output=True, text=True, timeout=20).stdout.split()
        prefix = own.engine.namespace + 'orderly:order:'
        found = {key.removeprefix(prefix) for key in out if key.startswith(prefix)}
        self.assertTrue(found, f'no keys {prefix}* in Redis')
        self.assertLessEqual(found, set(ids))
        elsewhere = [key for key in out if not key.startswith((own.engine.namespace, other_namespace))]
        self.assertFalse([key for key in elsewhere if key.rsplit(':', 1)[-1] in ids])

    # --- half a cluster ---

    def refuse(self, missing, **environment):
        with DataDirectory() as directory:
            for command in ('serve', 'api', 'consumer', 'setup'):
                done = subprocess.run([BINARY, command], capture_output=True, text=True, timeout=30, cwd=directory.root,
                                      env={**clean_environment(), **SETTINGS, 'ORDERLY_DATA_DIR': directory.path, **environment})
                text = done.stdout + done.stderr
                self.assertNotEqual(done.returncode, 0, text)
                self.assertIn(missing, text)
                self.assertFalse(os.path.exists(directory.path), 'a refused start leaves nothing behind')

    def test_kafka_without_cassandra(self):
        self.refuse('CASSANDRA_CONTACT_POINTS', KAFKA_BOOTSTRAP_SERVERS='127.0.0.1:9092')

    def test_cassandra_without_kafka(self):
        self.refuse('KAFKA_BOOTSTRAP_SERVERS', CASSANDRA_CONTACT_POINTS='["127.0.0.1"]')


if __name__ == '__main__':
    sys.exit(unittest.main())
