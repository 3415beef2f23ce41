#!/usr/bin/env python3
"""`orderly simulate` on Redis servers that freeze, die, refuse and are silent: shown, bounded, and clean afterwards."""
from simulate_case import *  # noqa: F403


class Time(Case):
    def test_freeze_shows_in_response_time(self):
        """1,000 a second for 6 s, one second of it frozen: a sixth of the operations wait up to a second."""
        result = self.finish('--duration', '6', '--hot-rate', '20', '--normal-clients', '0', '--pipeline', '1', '--connections', '10',
                             '--fault-freeze-ms', '1000', '--json').result()
        frozen_ms = result['totals']['frozen_ms']
        self.assertGreaterEqual(frozen_ms, 1000)
        hot = result['totals']['hot']
        self.assertGreater(hot['response']['p99_ms'], 0.9 * (frozen_ms - 60))
        self.assertGreater(hot['response']['max_ms'], 0.9 * frozen_ms)
        self.assertEqual(hot['completed'], hot['offered'])
        slow = hot['service']['count'] * 0.01  # the ten that were under way are fewer than 1 %
        self.assertGreater(slow, 10)
        self.assertLess(hot['service']['p99_ms'], 0.5 * frozen_ms)
        self.assertIn('frozen', [tick['target'] for tick in result['seconds']])
        self.assert_nothing_left()


    def test_freeze_is_seen_by_the_only_thread_that_asks(self):
        result = self.finish('--duration', '4', '--hot-clients', '1', '--normal-clients', '0', '--threads', '2', '--fault-freeze-ms', '1200',
                             '--json').result()
        self.assertIn('frozen', [tick['target'] for tick in result['seconds']])
        self.assertEqual(result['seconds'][0]['target'], 'up')


class Lost(Case):
    def test_private_server_is_killed(self):
        run = self.start('--duration', '60', '--json')
        run.wait_for_ticks(1)
        os.kill(run.private_server(), signal.SIGKILL)
        self.assertEqual(run.wait(), 3, run.error())
        result = run.result()
        self.assertEqual(result['end'], 'target_lost')
        self.assertIn('Connection refused', result['end_text'])
        self.assertEqual(result['seconds'][-2]['target'], 'down')
        self.assertEqual(result['seconds'][-2]['target_error'], 'Connection refused')
        self.assertLess(result['elapsed_s'], 30)
        self.assert_books_balance(result)

    def test_goes_on_when_redis_is_back(self):
        with Redis() as redis:
            run = self.start('--duration', '60', '--json', redis=redis)
            run.wait_for_ticks(1)
            redis.kill()
            run.wait_for_line('DOWN')
            redis.start()
            seen = len(run.ticks())
            wait_for('operations again', lambda: any('DOWN' not in line and 'top key' in line for line in run.ticks()[seen + 1:]), 60)
            run.signal(signal.SIGINT)
            self.assertEqual(run.wait(), 0, run.error())
            result = run.result()
            self.assertEqual(result['end'], 'stopped')
            self.assertGreater(result['totals']['hot']['dropped'], 0)
            self.assert_books_balance(result)
            self.assertEqual(redis.keys(), [])

    def test_frozen_and_stopped(self):
        with Redis() as redis:
            run = self.start('--duration', '60', '--json', redis=redis)
            run.wait_for_ticks(1)
            redis.signal(signal.SIGSTOP)
            run.wait_for_line('FROZEN')
            begin = time.monotonic()
            run.signal(signal.SIGINT)
            self.assertEqual(run.wait(), 0, run.error())
            self.assertLess(time.monotonic() - begin, 2 * SLOW)
            redis.signal(signal.SIGCONT)
            result = run.result()
            self.assertEqual(result['end'], 'stopped')
            self.assertIn('still on the server', result['end_text'])
            for name in redis.keys():
                self.assertGreater(int(redis.command('ttl', name)), 0)
            self.assert_books_balance(result)

    def test_frozen_for_good(self):
        with Redis() as redis:
            run = self.start('--duration', '60', '--json', redis=redis)
            run.wait_for_ticks(1)
            redis.signal(signal.SIGSTOP)
            self.assertEqual(run.wait(), 3, run.error())
            redis.signal(signal.SIGCONT)
            self.assertIn('no answer', run.result()['end_text'])

    def test_stopped_while_down(self):
        with Redis() as redis:
            run = self.start('--duration', '60', '--json', redis=redis)
            run.wait_for_ticks(1)
            redis.kill()
            run.wait_for_line('DOWN')
            begin = time.monotonic()
            run.signal(signal.SIGTERM)
            self.assertEqual(run.wait(), 0, run.error())
            self.assertLess(time.monotonic() - begin, 2 * SLOW)

    def test_stopped_while_loading(self):
        """A million keys take a while to load; what cannot be removed in time expires, and the result says how much."""
        with Redis() as redis:
            run = self.start('--duration', '60', '--json', '--keys', '1000000', redis=redis)
            wait_for('keys', lambda: int(redis.command('dbsize')) > 1000, 60)
            begin = time.monotonic()
            run.signal(signal.SIGINT)
            self.assertEqual(run.wait(), 0, run.error())
            self.assertLess(time.monotonic() - begin, 2 * SLOW)
            left = int(redis.command('dbsize'))
            if left:
                self.assertIn(f'up to {left} of its keys are still on the server', run.result()['end_text'])
                self.assertGreater(int(redis.command('ttl', redis.command('randomkey'))), 0)

    def test_killed_run_leaves_no_server(self):
        run = self.start('--duration', '60')
        run.wait_for_ticks(1)
        server = run.private_server()
        run.process.kill()
        run.wait()
        wait_for('its server to end', lambda: not is_alive(server))
        self.assert_nothing_left()


class Refused(Case):
    def test_password(self):
        with Redis('--requirepass', 'geheim') as redis:
            error = self.finish('--duration', '1', redis=redis, code=1).error()
            self.assertIn('NOAUTH', error)
            self.assertIn('ORDERLY_REDIS_PASSWORD', error)
            with_password = {'REDIS_HOST': '127.0.0.1', 'REDIS_PORT': str(redis.port), 'ORDERLY_REDIS_PASSWORD': 'geheim'}
            run = self.finish('--duration', '1', '--json', environment=with_password)
            self.assertGreater(run.result()['totals']['hot']['completed'], 1000)
            self.assertNotIn('geheim', ''.join(run.out) + run.error())
            wrong = self.finish('--duration', '1', code=1, environment={**with_password, 'ORDERLY_REDIS_PASSWORD': 'falsch'}).error()
            self.assertIn('correct ORDERLY_REDIS_USER', wrong)
            self.assertNotIn('falsch', wrong)

    def test_acl_user(self):
        with Redis('--user', 'lab', 'on', '>geheim', '~orderly:lab:*', '+get', '+set', '+unlink', '+ping') as redis:
            result = self.finish('--duration', '1', '--json', environment={
                'REDIS_HOST': '127.0.0.1', 'REDIS_PORT': str(redis.port), 'ORDERLY_REDIS_USER': 'lab', 'ORDERLY_REDIS_PASSWORD': 'geheim'}).result()
            self.assertGreater(result['totals']['hot']['completed'], 1000)
            self.assertIsNone(result['seconds'][0]['server'])
            self.assertIsNone(result['seconds'][0]['hot_key']['memory_bytes'])
            self.assertEqual(redis.keys(), [])

    def check_shown(self, redis, word):
        run = self.finish('--duration', '2', '--json', redis=redis)
        result = run.result()
        totals = result['totals']
        writes_failed = totals['hot']['failed'] + totals['normal']['failed']
        self.assertGreater(writes_failed, 100)
        self.assertEqual(totals['hot']['writes'] + totals['normal']['writes'], 0)
        self.assertIn(word, result['seconds'][1]['target_error'])
        self.assertEqual(result['seconds'][1]['target'], 'up')
        self.assertIn(word, run.error())
        self.assert_books_balance(result)

    def test_memory_is_full(self):
        with Redis('--maxmemory', '1') as redis:
            self.check_shown(redis, 'OOM')

    def test_replica(self):
        with Redis('--replicaof', '127.0.0.1', '1') as redis:
            self.check_shown(redis, 'READONLY')

    def test_loading(self):
        with OddServer(b'-LOADING Redis is loading the dataset in memory\r\n') as server:
            error = self.finish('--duration', '1', redis=server, code=1).error()
        self.assertIn('LOADING', error)
        self.assertIn('wait until it is done', error)

    def test_too_many_connections(self):
        with Redis('--maxclients', '5') as redis:
            error = self.finish('--duration', '1', redis=redis, code=1).error()
            self.assertIn('max number of clients', error)
            self.assertIn('--connections', error)


class Silent(Case):
    def test_never_answers(self):
        with OddServer(None) as server:
            begin = time.monotonic()
            error = self.finish('--duration', '1', redis=server, code=1).error()
            self.assertLess(time.monotonic() - begin, 10 * SLOW)
        self.assertIn('no answer in time; it is frozen', error)
        self.assertIn('redis-cli ping', error)

    def test_is_no_redis(self):
        with OddServer(b'HTTP/1.1 400 Bad Request\r\n\r\n') as server:
            self.assertIn('not Redis', self.finish('--duration', '1', redis=server, code=1).error())

    def test_nothing_listens(self):
        with Redis() as redis:
            pass
        error = self.finish('--duration', '1', redis=redis, code=1).error()
        self.assertIn('Connection refused', error)
        self.assertIn('ORDERLY_LAB_REDIS', error)


if __name__ == '__main__':
    unittest.main()
