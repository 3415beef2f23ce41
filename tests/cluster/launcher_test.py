#!/usr/bin/env python3
"""deploy/local/cluster as its users type it, with real Kafka, Cassandra and Redis on free ports.

CLUSTER_NODES_TEST=1 adds the test of three nodes each, which takes some 2 GiB of memory.
"""
import json
import os
import socket
import subprocess
import sys
import unittest

from launcher_case import LAUNCHER, NOT_UP, Copy, Directory, ping, processes_of
from launcher.cql import ALL, ONE, Cql  # launcher_case has set the path

QUORUM = 4
RECORDS = 100
# What each says at the end of a clean end.
LAST_WORDS = {'kafka': 'shut down completed', 'cassandra': 'Cassandra shutdown complete', 'redis': 'bye bye'}


def query(address, text, consistency=ONE):
    host, port = address.split(':')
    with socket.create_connection((host, int(port)), 30) as connection:
        cql = Cql(connection)
        cql.startup()
        return cql.query(text, consistency)


class OneNodeEach(Directory):
    """A cluster of Kafka, Cassandra and Redis, used by all cases."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.copy = Copy(cls.root, 'one')

    def setUp(self):
        self.copy.must('up', '--free-ports')  # again, after a case that failed in the middle

    def test_all_answer_and_programs_are_told_where(self):
        rows = self.copy.status()
        self.assertEqual(list(rows), ['kafka', 'cassandra', 'redis'])
        for row in rows.values():
            self.assertEqual(row['state'], 'answers')
            self.assertGreater(row['rss_mib'], 5)
            self.assertEqual(os.getsid(row['pid']), row['pid'], 'not detached from the launcher that started it')
        expected = {
            'KAFKA_BOOTSTRAP_SERVERS': rows['kafka']['address'],
            'CASSANDRA_CONTACT_POINTS': rows['cassandra']['address'],
            'REDIS_HOST': '127.0.0.1',
            'REDIS_PORT': rows['redis']['address'].split(':')[1],
        }
        self.assertEqual(self.copy.environment(), expected)
        code = 'import json, os; print(json.dumps(dict(os.environ)))'
        inside = json.loads(self.copy.must('exec', '--', sys.executable, '-c', code))
        self.assertEqual({name: inside[name] for name in expected}, expected)
        self.assertEqual(inside['CLUSTER_DIR'], self.copy.directory)
        self.assertEqual(ping(int(expected['REDIS_PORT'])), b'+PONG\r\n')

    def test_exec_passes_the_exit_code_on(self):
        self.assertEqual(self.copy.run('exec', '--', 'sh', '-c', 'exit 7')[0], 7)
        self.assertEqual(self.copy.run('exec', '--', 'no-such-command')[0], 127)

    def test_inside_exec_the_launcher_means_this_cluster(self):
        inside = self.copy.must('exec', '--', sys.executable, LAUNCHER, 'status', '--json')
        self.assertEqual([row['pid'] for row in json.loads(inside)],
                         [row['pid'] for row in self.copy.status().values()])

    def test_up_again_changes_nothing(self):
        before = self.copy.status()
        self.copy.must('up')
        self.assertEqual({name: row['pid'] for name, row in self.copy.status().items()},
                         {name: row['pid'] for name, row in before.items()})

    def test_other_wishes_are_refused_while_it_lasts(self):
        self.fails(self.copy, 'up', '--nodes', '3', saying=['1 node', 'wipe'])
        self.fails(self.copy, 'up', '--kafka-port', '9999', saying=['9999', 'wipe'])
        self.fails(self.copy, 'up', '--only', 'redis', saying=['kafka, cassandra, redis', 'wipe'])

    def test_unknown_name(self):
        self.fails(self.copy, 'kill', 'kafka-2', saying=['kafka-2', 'kafka, cassandra, redis'])

    def test_data_survives_kill_stop_and_down(self):
        address = self.copy.environment()['CASSANDRA_CONTACT_POINTS']
        self.copy.must('kafka-tool', 'topics', '--create', '--topic', 'kept', '--partitions', '2')
        self.copy.must('kafka-tool', 'producer-perf', '--topic', 'kept', '--num-records', str(RECORDS),
                       '--record-size', '10', '--throughput', '-1', '--command-property', 'acks=all')
        query(address, "CREATE KEYSPACE kept WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
        query(address, 'CREATE TABLE kept.t (k int PRIMARY KEY, v text)')
        query(address, "INSERT INTO kept.t (k, v) VALUES (1, 'one')")
        before = self.copy.status()
        self.copy.must('kill', 'kafka', 'cassandra')
        self.assertEqual({row['state'] for name, row in self.copy.status().items() if name != 'redis'}, {'down'})
        self.copy.must('start', 'kafka', 'cassandra')
        after = self.copy.status()
        self.assertNotEqual(after['kafka']['pid'], before['kafka']['pid'])
        self.assertEqual(after['redis']['pid'], before['redis']['pid'])
        self.check_kept(address)
        self.copy.must('down')
        self.assertEqual({row['state'] for row in self.copy.status().values()}, {'down'})
        self.assertEqual(processes_of(self.copy.directory), [])
        for name, text in LAST_WORDS.items():
            self.assertTrue(text in self.copy.must('logs', name), f'{name} was not ended cleanly')
        self.copy.must('up')
        self.check_kept(address)

    def check_kept(self, address):
        offsets = self.copy.must('kafka-tool', 'org.apache.kafka.tools.GetOffsetShell', '--bootstrap-server',
                                 self.copy.environment()['KAFKA_BOOTSTRAP_SERVERS'], '--topic', 'kept')
        self.assertEqual(sum(int(line.split(':')[2]) for line in offsets.split()), RECORDS, offsets)
        self.assertEqual(query(address, 'SELECT v FROM kept.t WHERE k = 1'), [[b'one']])

    def test_durability_settings_are_real(self):
        address = self.copy.environment()['CASSANDRA_CONTACT_POINTS']
        settings = dict(query(address, "SELECT name, value FROM system_views.settings WHERE name IN "
                                       "('commitlog_sync', 'disk_failure_policy', 'commit_failure_policy')"))
        self.assertEqual(settings, {b'commitlog_sync': b'batch', b'disk_failure_policy': b'stop',
                                    b'commit_failure_policy': b'stop'})
        described = self.copy.must('kafka-tool', 'configs', '--describe', '--all', '--entity-type', 'brokers',
                                   '--entity-name', '1')
        for text in ('unclean.leader.election.enable=false', 'log.retention.ms=-1', 'log.retention.bytes=-1',
                     'auto.create.topics.enable=false', 'group.min.session.timeout.ms=6000'):
            self.assertIn(f'  {text} ', described)

    def test_frozen_says_nothing_until_thawed(self):
        port = int(self.copy.environment()['REDIS_PORT'])
        self.copy.must('freeze', 'redis', 'cassandra')
        rows = self.copy.status()
        self.assertEqual((rows['redis']['state'], rows['cassandra']['state'], rows['kafka']['state']),
                         ('frozen', 'frozen', 'answers'))
        self.assertEqual(ping(port), b'')
        self.fails(self.copy, 'exec', '--', 'true', code=NOT_UP, saying=['cassandra does not answer'])
        self.copy.must('thaw', 'redis', 'cassandra')
        self.assertEqual(ping(port), b'+PONG\r\n')
        self.copy.must('freeze', 'redis')
        self.copy.must('up')
        self.assertEqual(self.copy.status()['redis']['state'], 'answers')

    def test_killed_is_down_and_its_port_free(self):
        self.copy.must('kill', 'redis')
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            row = self.copy.status()['redis']
            self.assertEqual((row['state'], row['pid']), ('down', None))
            probe.bind(('127.0.0.1', int(row['address'].split(':')[1])))
        self.fails(self.copy, 'exec', '--', 'true', code=NOT_UP, saying=['redis', 'cluster up'])
        self.fails(self.copy, 'env', code=NOT_UP, saying=['redis'])
        self.fails(self.copy, 'freeze', 'redis', saying=['redis does not run'])
        self.copy.must('kill', 'redis')
        self.copy.must('start', 'redis')
        self.assertEqual(self.copy.status()['redis']['state'], 'answers')

    def test_frozen_can_be_killed_and_stopped(self):
        for end in ('kill', 'stop'):
            self.copy.must('freeze', 'redis')
            code, _, error = self.copy.run(end, 'redis')
            self.assertEqual((code, error), (0, ''), 'a frozen one was not thawed to end by itself')
            self.assertEqual(self.copy.status()['redis']['state'], 'down')
            self.copy.must('start', 'redis')

    def test_a_pid_of_somebody_else_is_not_believed(self):
        path = self.copy.record_path('redis')
        with open(path, encoding='utf-8') as file:
            good = file.read()
        record, directory = json.loads(good), os.path.dirname(path)
        try:
            self.check_not_believed(record, ['tail', '-f', '/dev/null'], started_then=True)
            # It only reads the same log.
            self.check_not_believed(record, ['tail', '-f', os.path.join(directory, 'log')], started_then=False)
        finally:
            with open(path, 'w', encoding='utf-8') as file:
                file.write(good)
        self.assertEqual(self.copy.status()['redis']['state'], 'answers')

    def check_not_believed(self, record, command, started_then):
        other = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            with open(f'/proc/{other.pid}/stat', encoding='ascii') as file:
                ticks = int(file.read().split()[21]) if started_then else record['start_ticks']
            with open(self.copy.record_path('redis'), 'w', encoding='utf-8') as file:
                json.dump({**record, 'pid': other.pid, 'start_ticks': ticks}, file)
            self.copy.must('kill', 'redis')
            self.assertEqual(self.copy.status()['redis']['state'], 'down')
            self.assertIsNone(other.poll(), 'the launcher killed a process that is not its own')
        finally:
            other.kill()
            other.wait()

    def test_a_second_copy_beside_it(self):
        second = Copy(self.root, 'second copy')
        second.must('up', '--free-ports', '--only', 'kafka,redis')
        first_rows, rows = self.copy.status(), second.status()
        self.assertEqual(list(rows), ['kafka', 'redis'])
        self.assertFalse({row['address'] for row in rows.values()} & {row['address'] for row in first_rows.values()})
        self.assertEqual(sorted(second.environment()), ['KAFKA_BOOTSTRAP_SERVERS', 'REDIS_HOST', 'REDIS_PORT'])
        second.must('kafka-tool', 'topics', '--create', '--topic', 'second')
        self.assertNotIn('second', self.copy.must('kafka-tool', 'topics', '--list').split())
        second.must('wipe')
        self.assertFalse(os.path.exists(second.directory))
        self.assertEqual(processes_of(second.directory), [])
        self.assertEqual([(row['pid'], row['state']) for row in self.copy.status().values()],
                         [(row['pid'], 'answers') for row in first_rows.values()])

    def test_nodetool(self):
        self.assertRegex(self.copy.must('nodetool', 'status'), r'UN +127\.0\.0\.1')
        self.assertRegex(self.copy.must('nodetool', 'cassandra', 'status'), r'UN +127\.0\.0\.1')


@unittest.skipUnless(os.environ.get('CLUSTER_NODES_TEST') == '1', 'CLUSTER_NODES_TEST=1 runs it')
class ThreeNodesEach(Directory):
    def test_two_of_three_carry_on(self):
        copy = Copy(self.root, 'three')
        copy.must('up', '--nodes', '3', '--free-ports')
        self.assertEqual(len(copy.status()), 7)
        points = copy.environment()['CASSANDRA_CONTACT_POINTS'].split(',')
        copy.must('kafka-tool', 'topics', '--create', '--topic', 't', '--partitions', '3')
        described = copy.must('kafka-tool', 'topics', '--describe', '--topic', 't')
        self.assertIn('ReplicationFactor: 3', described)
        self.assertIn('min.insync.replicas=2', described)
        query(points[0], "CREATE KEYSPACE k WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 3}")
        query(points[1], 'CREATE TABLE k.t (k int PRIMARY KEY)')
        copy.must('kill', 'kafka-2', 'cassandra-3')
        self.produce(copy)
        query(points[0], 'INSERT INTO k.t (k) VALUES (1)', QUORUM)
        copy.must('start', 'kafka-2', 'cassandra-3')
        query(points[2], 'INSERT INTO k.t (k) VALUES (2)', ALL)
        self.assertEqual({row['state'] for row in copy.status().values()}, {'answers'})
        copy.must('kill', 'kafka', 'kafka-2', 'cassandra', 'cassandra-2')
        copy.must('start', 'kafka')
        self.produce(copy)
        copy.must('kill', 'kafka', 'kafka-3')
        self.assertIn('majority', copy.run('start', 'kafka-3')[2])
        copy.must('up')
        # Killed all at once, a partition waits for the one that was in sync last: now all are here.
        self.produce(copy)
        self.assertEqual(len(query(points[1], 'SELECT k FROM k.t', ALL)), 2)
        self.assertRegex(copy.must('nodetool', 'cassandra-2', 'describecluster'), r'Live: 3\b')
        copy.must('wipe')

    def produce(self, copy):
        out = copy.must('kafka-tool', 'producer-perf', '--topic', 't', '--num-records', str(RECORDS),
                        '--record-size', '10', '--throughput', '-1', '--command-property', 'acks=all')
        self.assertIn(f'{RECORDS} records sent', out)


if __name__ == '__main__':
    unittest.main()
