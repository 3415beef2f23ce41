#!/usr/bin/env python3
"""`orderly simulate` on real Redis servers: what was sent is the schedule, results are complete, nothing is left behind."""
import collections

from simulate_case import *  # noqa: F403


def schedule(case, *arguments):
    """What --dry-run prints: counts by class and operation, and by key."""
    out = subprocess.run([BINARY, 'simulate', '--dry-run', *arguments], capture_output=True, text=True, check=True,
                         env=clean_environment(), cwd=case.directory).stdout.splitlines()
    case.assertEqual(out[0], 'time_ms class client key operation')
    kinds, keys = collections.Counter(), collections.Counter()
    for line in out[1:]:
        _, name, _, key, operation = line.split()
        kinds[name, operation + 's'] += 1
        keys[int(key)] += 1
    return kinds, keys


class Schedule(Case):
    def check(self, *arguments):
        kinds, keys = schedule(self, *arguments)
        with Redis() as redis:
            result = self.finish('--json', *arguments, redis=redis).result()
            self.assertEqual(redis.keys(), [])
        for name in ('hot', 'normal'):
            for operation in ('reads', 'writes'):
                self.assertEqual(result['totals'][name][operation], kinds[name, operation])
        self.assertEqual({entry['key']: entry['count'] for entry in result['accesses'] if entry['count']}, dict(keys))
        self.assertEqual(result['end'], 'duration')
        self.assertEqual(result['schedule_kept'], 1)
        self.assert_books_balance(result)
        return result

    def test_counts_are_the_schedules(self):
        self.check('--duration', '2', '--seed', '5')

    def test_counts_with_two_threads(self):
        result = self.check('--duration', '2', '--threads', '2', '--profile', 'zipf', '--connections', '7', '--pipeline', '3')
        self.assertEqual(result['config']['threads'], 2)

    def test_large_values_on_one_connection(self):
        self.check('--duration', '1', '--value-bytes', '65536', '--connections', '1', '--hot-rate', '20', '--hot-read-ratio', '0.5')

    def test_dry_run_ends_when_told(self):
        out = subprocess.run([BINARY, 'simulate', '--dry-run', '7'], capture_output=True, text=True, check=True, env=clean_environment(),
                             cwd=self.directory).stdout.splitlines()
        self.assertEqual(len(out), 8)


class Results(Case):
    def test_on_a_private_server(self):
        run = self.finish('--duration', '2', '--json', '--no-save')
        result = run.result()
        self.assertTrue(result['target_is_private'])
        self.assertEqual(result['target_policy'], 'allkeys-lfu')
        self.assertEqual([tick['second'] for tick in result['seconds']], [0, 1])
        tick = result['seconds'][1]
        self.assertEqual(tick['hot_key']['name'], f'orderly:lab:{result["run_id"]}:{tick["detection"]["truth"][0]["key"]}')
        self.assertGreater(tick['hot_key']['memory_bytes'], 100)
        self.assertGreater(tick['hot_key']['frequency'], 0)
        self.assertEqual(tick['hot_key']['value_bytes'], 100)
        self.assertRegex(tick['hot_key']['value'], r'^\d+:\d+\.+$')
        self.assertGreater(tick['server']['ops_per_second'], 1000)
        self.assertEqual(tick['server']['hit_ratio'], 1)
        self.assertGreater(result['totals']['server']['cpu_s'], 0)
        self.assertEqual((result['detection']['precision'], result['detection']['recall']), (1, 1))
        self.assertEqual(len(run.ticks()), 2)
        self.assertFalse(os.path.exists(os.path.join(self.directory, 'data')))
        port = int(result['target'].split(':')[1].split(',')[0])
        with self.assertRaises(OSError):
            __import__('socket').create_connection(('127.0.0.1', port), 1)
        self.assert_nothing_left()

    def test_is_kept_and_shown(self):
        run = self.finish('--duration', '1', '--seed', '9')
        self.assertIn('orderly simulate --profile default --seed 9 --duration-s 1', ''.join(run.out))
        runs = os.listdir(os.path.join(self.directory, 'data', 'lab'))
        self.assertEqual(len(runs), 1)
        files = os.listdir(os.path.join(self.directory, 'data', 'lab', runs[0]))
        self.assertIn('result.json', files)
        self.assertIn('report.html', files)

    def test_keys_expire_on_a_users_server(self):
        with Redis() as redis:
            run = self.start('--duration', '30', redis=redis)
            run.wait_for_ticks(1)
            name = redis.keys()[0]
            self.assertRegex(name, r'^orderly:lab:[0-9a-f-]{36}:\d+$')
            self.assertTrue(600 < int(redis.command('ttl', name)) <= 631)
            run.signal(signal.SIGTERM)
            self.assertEqual(run.wait(), 0)
            self.assertEqual(redis.keys(), [])

    def test_misses_after_expiry(self):
        with Redis() as redis:
            result = self.finish('--duration', '3', '--ttl-s', '0.4', '--miss-cost-us', '20000', '--hot-read-ratio', '1', '--json',
                                 redis=redis).result()
            self.assertEqual(redis.keys(), [])
        misses = result['totals']['hot']['misses'] + result['totals']['normal']['misses']
        self.assertGreater(misses, 5)
        self.assertEqual(result['totals']['backend']['calls'], misses)
        self.assertGreater(result['totals']['hot']['response']['max_ms'], 20)
        self.assert_books_balance(result)

    def test_closed_clients(self):
        with Redis() as redis:
            result = self.finish('--duration', '1', '--hot-clients', '8', '--hot-arrival', 'closed', '--hot-rate', '0', '--json',
                                 redis=redis).result()
        self.assertGreater(result['totals']['hot']['completed'], 1000)
        self.assert_books_balance(result)


class Usage(Case):
    def test_every_bad_flag_is_named(self):
        error = self.finish('--hot-clients', '-1', '--keys', 'many', '--arrival', 'x', code=2).error()
        self.assertIn('--arrival', error)
        error = self.finish('--hot-clients', '-1', '--keys', 'many', code=2).error()
        self.assertIn('--hot-clients must be a whole number', error)
        self.assertIn('--keys must be', error)
        self.finish('--run-id', 'x', code=2)
        self.finish('--dry-run=x', code=2)
        for address in ('host:99999', 'host:', ':6379', '[::1', '[::1]x', 'host:0'):
            self.finish('--duration', '1', code=2, environment={'ORDERLY_LAB_REDIS': address})
        self.assertIn('Redis at ::1:9:', self.finish('--duration', '1', code=1, environment={'ORDERLY_LAB_REDIS': '[::1]:9'}).error())

    def test_profiles_and_help(self):
        self.assertIn('flash_sale', ''.join(self.finish('--list-profiles').out))
        text = ''.join(self.finish('--help').out)
        for flag in ('--hot-clients', '--fault-freeze-ms', '--dry-run', '--json'):
            self.assertIn(flag, text)

    def test_no_redis_server_here(self):
        empty = os.path.join(self.directory, 'empty')
        os.mkdir(empty)
        error = self.finish('--duration', '1', code=1, environment={'PATH': empty}).error()
        self.assertIn('install Redis', error)
        self.assert_nothing_left()

    def test_no_freeze_on_a_users_server(self):
        with Redis() as redis:
            error = self.finish('--duration', '1', '--fault-freeze-ms', '100', redis=redis, code=2).error()
        self.assertIn('fault_freeze_ms', error)


class Pipe(Case):
    def start_pipe(self, line, *arguments):
        run = self.start('--pipe', '--no-save', *arguments, stdin=subprocess.PIPE)
        run.process.stdin.write(line + '\n')
        run.process.stdin.flush()
        return run

    def events(self, run):
        return [json.loads(line) for line in run.out]

    def test_a_run(self):
        run = self.start_pipe('{"duration_s": 1, "profile": "zipf"}', '--run-id', '01a2050b-b656-76bc-96e2-02af07587b0b')
        self.assertEqual(run.wait(), 0, run.error())
        events = self.events(run)
        self.assertEqual([event['type'] for event in events], ['ready', 'tick', 'end'])
        self.assertEqual(events[0]['run_id'], '01a2050b-b656-76bc-96e2-02af07587b0b')
        self.assertEqual(events[0]['config']['profile'], 'zipf')
        self.assertEqual(events[2]['end'], 'duration')
        self.assertEqual(events[2]['summary']['operations'], sum(events[1][name]['completed'] for name in ('hot', 'normal')))

    def test_end_of_input_is_a_stop(self):
        run = self.start_pipe('{"duration_s": 600}')
        wait_for('a tick', lambda: len(run.out) >= 2)
        begin = time.monotonic()
        run.process.stdin.close()
        self.assertEqual(run.wait(), 0)
        self.assertLess(time.monotonic() - begin, 2 * SLOW)
        self.assertEqual(self.events(run)[-1]['end'], 'stopped')

    def test_bad_parameters(self):
        for line in ('{"keys": 0}', 'nonsense', ''):
            run = self.start_pipe(line)
            self.assertEqual(run.wait(), 2)
            self.assertEqual(self.events(run)[-1]['type'], 'error')

    def test_dies_with_its_parent(self):
        """The parent is killed with the pipe held open by somebody else: the run and its server go with it all the same."""
        script = ('import subprocess, sys, time; p = subprocess.Popen([sys.argv[1], "simulate", "--pipe", "--no-save"], stdin=subprocess.PIPE,'
                  ' stdout=sys.stdout); p.stdin.write(b"{}\\n"); p.stdin.flush(); print(p.pid, flush=True); time.sleep(600)')
        parent = subprocess.Popen([__import__('sys').executable, '-c', script, BINARY], stdout=subprocess.PIPE, text=True, cwd=self.directory,
                                  env={**clean_environment(), 'ORDERLY_DATA_DIR': self.directory, 'TMPDIR': self.tmp})
        self.addCleanup(parent.stdout.close)
        pid = int(parent.stdout.readline())
        self.assertEqual(json.loads(parent.stdout.readline())['type'], 'ready')
        server = int(subprocess.run(['pgrep', '-P', str(pid)], capture_output=True, text=True, check=True).stdout)
        parent.kill()
        parent.wait()
        wait_for('the run to end', lambda: not is_alive(pid))
        wait_for('its server to end', lambda: not is_alive(server))
        self.assert_nothing_left()


if __name__ == '__main__':
    unittest.main()
