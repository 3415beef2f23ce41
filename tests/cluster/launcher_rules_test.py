#!/usr/bin/env python3
"""The rules of deploy/local/cluster that hold for any service: locks, ports, refusals, what a wipe deletes."""
import argparse
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import unittest
import uuid

from launcher_case import LAUNCHER, NOT_UP, Copy, Directory, processes_of, wait_for
from launcher import plan as plans  # launcher_case has set the path
from launcher.cassandra import heap_mib
from launcher.directory import lock
from launcher.jars import cache_directory
from launcher.process import Process

CROWD = 4


def waiting_for_locks():
    """The pids of all processes that wait for a file lock."""
    with open('/proc/locks', encoding='ascii') as file:
        return {int(line.split()[5]) for line in file if '->' in line}


class RedisAlone(Directory):
    """On the service that starts at once."""

    def up(self, name, *arguments):
        copy = Copy(self.root, name)
        copy.must('up', '--free-ports', '--only', 'redis', *arguments)
        return copy

    def crowd(self, copy, held):
        """Lets launchers come up to a lock that is held, then on. Returns their exit codes and what they said."""
        with lock(held):
            command = [sys.executable, LAUNCHER, '--dir', copy.directory, 'up', '--only', 'redis', '--free-ports']
            launchers = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(CROWD)]
            wait_for('all to wait for a lock', lambda: {launcher.pid for launcher in launchers} <= waiting_for_locks())
        said = [launcher.communicate(timeout=60)[1] for launcher in launchers]
        return [launcher.returncode for launcher in launchers], ''.join(said)

    def test_launchers_side_by_side_make_one_plan(self):
        copy = Copy(self.root, 'plan')
        codes, said = self.crowd(copy, cache_directory('clusters'))
        self.assertEqual((codes, said.count('redis starts on')), ([0] * CROWD, 1), said)
        self.assertEqual(processes_of(copy.directory), [copy.status()['redis']['pid']])

    def test_launchers_side_by_side_start_one_process(self):
        copy = self.up('crowd')
        copy.must('kill', 'redis')
        codes, said = self.crowd(copy, os.path.join(copy.directory, 'redis'))
        self.assertEqual((codes, said.count('redis starts on')), ([0] * CROWD, 1), said)
        self.assertEqual(processes_of(copy.directory), [copy.status()['redis']['pid']])

    def test_survives_the_group_of_its_launcher(self):
        copy = Copy(self.root, 'detached')
        launcher = subprocess.Popen([sys.executable, LAUNCHER, '--dir', copy.directory, 'up', '--only', 'redis',
                                     '--free-ports'], start_new_session=True, stderr=subprocess.DEVNULL)
        wait_for('redis to answer', lambda: os.path.exists(copy.record_path('redis')) and copy.run('env')[0] == 0)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(launcher.pid, signal.SIGKILL)
        launcher.wait()
        self.assertEqual(copy.status()['redis']['state'], 'answers')

    def test_taken_port(self):
        with socket.socket() as holder:
            holder.bind(('127.0.0.1', 0))
            holder.listen()
            port = str(holder.getsockname()[1])
            copy = Copy(self.root, 'taken')
            self.fails(copy, 'up', '--only', 'redis', '--redis-port', port,
                       saying=[port, 'redis', 'taken', '--free-ports'])
            self.assertFalse(os.path.exists(copy.directory))

    def test_port_taken_while_it_was_down(self):
        copy = self.up('later')
        port = copy.environment()['REDIS_PORT']
        copy.must('down')
        with socket.socket() as holder:
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            holder.bind(('127.0.0.1', int(port)))
            holder.listen()
            self.fails(copy, 'up', saying=[port, 'redis', 'taken'])

    def test_down_keeps_the_ports(self):
        copy = self.up('ports')
        before = copy.environment()
        copy.must('down')
        self.fails(copy, 'env', code=NOT_UP, saying=['cluster up'])
        copy.must('up')
        self.assertEqual(copy.environment(), before)

    def test_no_cluster(self):
        copy = Copy(self.root, 'none')
        for command in (['status'], ['env'], ['exec', '--', 'true'], ['down'], ['kill', 'redis']):
            self.fails(copy, *command, code=NOT_UP, saying=['cluster up'])
        copy.must('wipe')

    def test_wipe_refuses_what_is_not_its_own(self):
        copy = Copy(self.root, 'foreign')
        os.mkdir(copy.directory)
        mine = os.path.join(copy.directory, 'thesis.txt')
        for name, text, reason in (('thesis.txt', 'three years', 'neither empty'),
                                   ('cluster.json', '{"name": "production"}', 'not a file of this launcher'),
                                   ('cluster.json', '[', 'not a file of this launcher')):
            path = os.path.join(copy.directory, name)
            with open(path, 'w', encoding='utf-8') as file:
                file.write(text)
            self.fails(copy, 'wipe', saying=[' not '])
            self.fails(copy, 'up', '--only', 'redis', '--free-ports', saying=[reason])
            self.assertTrue(os.path.exists(path))
            self.assertTrue(os.path.exists(mine))
        os.remove(path)

    def test_wipe_leaves_other_files(self):
        copy = self.up('mixed')
        mine = os.path.join(copy.directory, 'notes.txt')
        with open(mine, 'w', encoding='utf-8') as file:
            file.write('mine')
        copy.must('wipe')
        self.assertEqual(os.listdir(copy.directory), ['notes.txt'])
        self.assertEqual(processes_of(copy.directory), [])

    def test_wipe_of_a_cluster_that_is_down(self):
        copy = self.up('down')
        copy.must('down')
        copy.must('wipe')
        self.assertFalse(os.path.exists(copy.directory))

    def test_broken_service_shows_the_end_of_its_log(self):
        home = os.path.join(self.root, 'java')
        os.makedirs(os.path.join(home, 'bin'))
        java = os.path.join(home, 'bin', 'java')
        with open(java, 'w', encoding='utf-8') as file:
            file.write('#!/bin/sh\necho the flux capacitor is empty >&2\nexit 1\n')
        os.chmod(java, 0o755)
        try:
            for service in ('cassandra', 'kafka'):
                copy = Copy(self.root, f'broken-{service}')
                log = os.path.join(copy.directory, service, 'log')
                self.fails(copy, 'up', '--only', service, '--free-ports', environment={'JAVA_HOME': home},
                           saying=[service, 'the flux capacitor is empty', log])
                copy.must('wipe')
        finally:
            shutil.rmtree(home)

    def test_missing_programs_are_named_with_their_package(self):
        bare = {'PATH': '/nonexistent', 'JAVA_HOME': '', 'XDG_CACHE_HOME': os.path.join(self.root, 'cache')}
        self.fails(Copy(self.root, 'bare'), 'up', '--only', 'redis', '--free-ports', environment=bare,
                   saying=['apt-get install redis-server'])
        if os.path.exists('/usr/lib/jvm'):
            self.fails(Copy(self.root, 'bare-2'), 'up', '--only', 'kafka', '--free-ports', environment=bare,
                       saying=['apt-get install maven'])

    def test_wrong_usage(self):
        copy = Copy(self.root, 'usage')
        wrong = (['up', '--nodes', '2'], ['up', '--only', 'postgres'], ['up', '--redis-port', '80000'], ['start'], [])
        for command in wrong:
            self.assertEqual(copy.run(*command)[0], 2, command)
        self.assertFalse(os.path.exists(copy.directory))
        text = copy.must('help')
        for command in ('up', 'down', 'status', 'logs', 'kill', 'freeze', 'thaw', 'start', 'stop', 'wipe', 'env', 'exec',
                        'fetch', 'kafka-tool', 'nodetool'):
            self.assertRegex(text, rf'\n    {command}\s')


class Plans(Directory):
    """The choice of ports, without starting anything."""

    @staticmethod
    def sockets(plan):
        """Every (address, port) the cluster will listen on."""
        found = set()
        for node in plan.nodes:
            found.add((node['address'], node['port']))
            found.update((node['address'], node[name]) for name in ('controller_port', 'storage_port') if name in node)
            if 'jmx_port' in node:
                found.add(('127.0.0.1', node['jmx_port']))
        return found

    def make(self, name, **wishes):
        nothing = {'for_load': False, 'nodes': 3, 'services': None, 'free_ports': True,
                   'ports': dict.fromkeys(plans.SERVICES)}
        return plans.load_or_make(os.path.join(self.root, name), argparse.Namespace(**{**nothing, **wishes}))

    def test_cassandras_heap_fits_the_machine(self):
        for memory, nodes, heap in [(2048, 1, 512), (8192, 1, 1024), (65536, 1, 2048), (8192, 3, 341), (2048, 3, 256)]:
            self.assertEqual(heap_mib(memory, nodes), heap)

    def test_kafkas_cluster_id_is_no_option(self):
        for first in range(256):
            made = plans.kafka_cluster_id(uuid.UUID(bytes=bytes([first]) + bytes(15)))
            self.assertRegex(made, r'^[A-Za-z0-9_][A-Za-z0-9_-]{21}$')

    def test_copies_never_share_a_port(self):
        made = [self.make(f'copy-{number}') for number in range(20)]
        for plan in made:
            self.assertEqual(len(self.sockets(plan)), 3 * 2 + 3 * 3 + 1)
            self.assertEqual(len({node['port'] for node in plan.of('cassandra')}), 1)
            self.assertEqual([node['address'] for node in plan.of('cassandra')],
                             ['127.0.0.1', '127.0.0.2', '127.0.0.3'])
        every_port = [port for plan in made for port in {port for _, port in self.sockets(plan)}]
        self.assertEqual(len(every_port), len(set(every_port)))
        with open('/proc/sys/net/ipv4/ip_local_port_range', encoding='ascii') as file:
            self.assertLess(max(every_port), int(file.read().split()[0]), 'outgoing connections get such a port')

    def test_given_ports_are_kept(self):
        plan = self.make('given', ports={'kafka': 21001, 'cassandra': 21011, 'redis': 21021}, free_ports=False)
        self.assertEqual(plan.environment(), {
            'KAFKA_BOOTSTRAP_SERVERS': '127.0.0.1:21001,127.0.0.1:21002,127.0.0.1:21003',
            'CASSANDRA_CONTACT_POINTS': '127.0.0.1:21011,127.0.0.2:21011,127.0.0.3:21011',
            'REDIS_HOST': '127.0.0.1', 'REDIS_PORT': '21021'})


class Zombie(Directory):
    def test_a_process_that_has_ended_but_was_not_waited_for_is_down(self):
        """Where nobody reaps (a bare container's first process), a killed service stays as a zombie for ever."""
        directory = os.path.join(self.root, 'z')
        process = Process(os.path.join(directory, 'process.json'), directory)
        os.mkdir(directory)
        pid = process.spawn(['tail', '-f', '/dev/null', directory + '/none'], directory, directory + '/log', os.environ)
        self.assertEqual(process.pid(), pid)
        process.kill()  # this test is its parent and does not wait for it
        with open(f'/proc/{pid}/stat', encoding='ascii') as file:
            self.assertEqual(file.read().split()[2], 'Z')
        self.assertIsNone(process.pid())
        os.waitpid(pid, 0)
        shutil.rmtree(directory)


if __name__ == '__main__':
    unittest.main()
