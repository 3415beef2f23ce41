"""What a run leaves behind: processes, threads, descriptors and keys, after stops, crashes and kills."""
import os
import signal
import unittest

from http_case import DataDirectory, Process, wait_for
from simulation_case import Redis, SimulationCase, children_of, is_gone, stat_of

ROUNDS = 200


def footprint(pid):
    """(threads, descriptors, children) of a process."""
    return len(os.listdir(f'/proc/{pid}/task')), len(os.listdir(f'/proc/{pid}/fd')), len(children_of(pid))


class OnItsOwn(SimulationCase):
    """With private servers."""

    def test_start_and_stop_200_times(self):
        self.start({'duration_s': 0.2})
        self.wait_for_phase('none')
        before = footprint(self.server.process.pid)
        servers = len([name for name in os.listdir('/proc') if name.isdigit() and (stat_of(name) or ('',))[0] == 'redis-server'])
        for _ in range(ROUNDS):
            self.start()
            self.assertEqual(self.post('/simulation/stop', None)[0], 200)
        for _ in range(5):  # and some that have begun
            self.start()
            self.wait_for_phase('running')
            self.assertEqual(self.post('/simulation/stop', None)[0], 200)
        self.wait_for_phase('none')
        wait_for('all to be as before', lambda: footprint(self.server.process.pid)[:3] <= before)
        now = [name for name in os.listdir('/proc') if name.isdigit() and (stat_of(name) or ('',))[0] == 'redis-server']
        self.assertLessEqual(len(now), servers + 2)  # other tests may run beside this one
        self.assertEqual([name for name in os.listdir(os.path.join(self.data.path, 'lab')) if name.startswith('.')], [])

    def test_a_killed_run(self):
        run_id = self.start()['run_id']
        self.wait_for_tick()
        child, servers = self.run_of()
        self.assertEqual([stat_of(server)[0] for server in servers], ['redis-server'])
        events = self.events()
        os.kill(child, signal.SIGKILL)
        self.assertEqual(events.wait_for(run_id, 'end')[0]['end'], 'failed')
        self.assertIn('signal 9', self.wait_for_phase('none')['error'])
        wait_for('its server to be gone', lambda: all(map(is_gone, servers)))
        self.assertEqual(children_of(self.server.process.pid), [])
        self.start({'duration_s': 0.3})  # and the next one is well
        self.assertIsNone(self.wait_for_phase('none')['error'])

    def test_a_frozen_run_is_ended_by_a_stop(self):
        self.start()
        self.wait_for_tick()
        child, servers = self.run_of()
        os.kill(child, signal.SIGSTOP)
        self.assertEqual(self.post('/simulation/stop', None)[0], 200)
        self.assertIn('was killed', self.wait_for_phase('none')['error'])
        wait_for('it to be gone', lambda: is_gone(child) and all(map(is_gone, servers)))

    def test_the_service_is_killed(self):
        """The run dies with it, and so does the run's server."""
        with DataDirectory() as data, Process(data.path) as server:
            self.assertEqual(server.post('/simulation/start', {})[0], 200)
            wait_for('a tick', lambda: server.get('/simulation/status')[2]['tick'], 60)
            child, servers = self.run_of(server.process.pid)
            self.assertTrue(servers)
            server.kill()
            wait_for('all to be gone', lambda: is_gone(child) and all(map(is_gone, servers)))

    def test_the_service_is_stopped(self):
        """The run ends in order: its result is kept. Streams end too."""
        with DataDirectory() as data, Process(data.path) as server:
            run_id = server.post('/simulation/start', {})[2]['run_id']
            wait_for('a tick', lambda: server.get('/simulation/status')[2]['tick'], 60)
            child, servers = self.run_of(server.process.pid)
            self.assertEqual(server.stop(), 0)
            self.assertTrue(is_gone(child) and all(map(is_gone, servers)))
            self.assertEqual(os.listdir(os.path.join(data.path, 'lab')), [run_id])


class OnAUsersRedis(SimulationCase):
    """Keys of others stay, keys of ours do not; a password is not shown."""

    @classmethod
    def setUpClass(cls):
        cls.redis = cls.enterClassContext(Redis('--requirepass', 'a secret'))
        cls.settings = {'environment': {'REDIS_HOST': '127.0.0.1', 'REDIS_PORT': str(cls.redis.port),
                                        'ORDERLY_REDIS_PASSWORD': 'a secret'}}
        super().setUpClass()
        cls.command('set', 'mine', 'untouched')

    @classmethod
    def command(cls, *words):
        return cls.redis.command('-a', 'a secret', '--no-auth-warning', *words)

    def keys(self):
        return [key for key in self.command('keys', '*').split() if key.startswith('orderly:lab:')]

    def test_stops_leave_no_key(self):
        for i in range(20):
            run_id = self.start({'keys': 100})['run_id']
            if i % 4 == 0:
                self.wait_for_tick()
                self.assertTrue(all(key.startswith(f'orderly:lab:{run_id}:') for key in self.keys()))
                self.assertTrue(self.keys())
                child, servers = self.run_of()
                self.assertEqual(servers, [])
                with open(f'/proc/{child}/cmdline') as file:
                    self.assertNotIn('secret', file.read())
            self.assertEqual(self.post('/simulation/stop', None)[0], 200)
        self.assertIsNone(self.wait_for_phase('none')['error'])
        self.assertEqual(self.keys(), [])
        self.assertEqual(self.command('get', 'mine'), 'untouched')

    def test_a_killed_run_leaves_only_keys_that_expire(self):
        self.start({'duration_s': 60})
        self.wait_for_tick()
        child, _ = self.run_of()
        os.kill(child, signal.SIGKILL)
        self.wait_for_phase('none')
        left = self.keys()
        self.assertTrue(left)
        for key in left:
            self.assertTrue(0 < int(self.command('pttl', key)) <= 11 * 60 * 1000, key)
        self.command('del', *left)


class OnNoRedis(SimulationCase):
    settings = {'lab_redis': '127.0.0.1:1'}

    def test_the_reason_is_shown(self):
        events = self.events()
        self.start()
        status = self.wait_for_phase('none')
        self.assertIn('127.0.0.1:1', status['error'])
        wait_for('the end', lambda: [event for event in events.all if event.get('event') == 'end'])
        end = events.all[-1]['data']
        self.assertEqual((end['end'], end['end_text'], end['summary']), ('failed', status['error'], None))
        self.assertEqual(self.get('/simulation/runs')[2], [])


class WithoutALab(unittest.TestCase):
    def test_orders_are_taken_all_the_same(self):
        with DataDirectory() as data:
            os.makedirs(data.path)
            with open(os.path.join(data.path, 'lab'), 'w'):
                pass  # where the directory should be
            with Process(data.path) as server:
                for method, path in ('POST', '/start'), ('POST', '/stop'), ('GET', '/status'), ('GET', '/events'), ('GET', '/runs'):
                    status, _, body = server.request(method, '/simulation' + path)
                    self.assertEqual((status, body['code']), (503, 'lab_unavailable'))
                self.assertEqual(server.get('/simulation/parameters')[0], 200)
                self.assertEqual(server.post('/orders', {'customer_name': 'Ada', 'item': 'lamp', 'quantity': 1})[0], 201)
                self.assertEqual(server.stop(), 0)


if __name__ == '__main__':
    unittest.main()
