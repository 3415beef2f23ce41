"""schemathesis against the running server: requests made from openapi.json, good and bad, and every answer held against
the description. The seed is fixed: a failure can be repeated, and a run takes the same time."""
import os
import pathlib
import subprocess
import unittest

from http_case import HttpCase

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
EXAMPLES, SEED = '50', '4'


class Schemathesis(HttpCase):
    # Simulations with any parameters are started by the dozen: on a Redis that is not there each is over at once.
    settings = {'lab_redis': '127.0.0.1:1'}

    def test_the_server_keeps_to_its_description(self):
        subprocess.run([ROOT / 'scripts/python_env'], check=True, timeout=280)
        program = ROOT / 'build/deps/python/bin/schemathesis'
        here = pathlib.Path(__file__).resolve().parent
        environment = {**os.environ, 'SCHEMATHESIS_HOOKS': 'schemathesis_hooks', 'PYTHONPATH': str(here), 'COLUMNS': '120',
                       'ORDERLY_STATUS': f'http://127.0.0.1:{self.server.port}/simulation/status'}
        run = subprocess.run([program, 'run', f'http://127.0.0.1:{self.server.port}/openapi.json', '--max-examples', EXAMPLES,
                              '--seed', SEED, '--checks', 'all', '--no-color',
                              # One has no end, one is right only while a simulation runs: simulation_test.py asks them.
                              '--exclude-path', '/simulation/events', '--exclude-path', '/simulation/stop',
                              '--request-timeout', '30'],
                             capture_output=True, text=True, timeout=280, cwd=self.data.root, env=environment)
        self.assertEqual(run.returncode, 0, run.stdout[-20000:] + run.stderr[-2000:])


if __name__ == '__main__':
    unittest.main()
