"""latte, a load tool for Cassandra (a Rust crate), writing rows like ours."""
import json
import os
import subprocess
import sys
import tempfile

LATTE = os.path.abspath(os.path.join('build', 'deps', 'latte', 'bin', 'latte'))
VERSION = '0.29.0'


def latte():
    if not os.path.exists(LATTE):
        print('bench: building latte, once, some ten minutes', file=sys.stderr, flush=True)
        subprocess.run(['cargo', 'install', '--quiet', '--locked', '--root', 'build/deps/latte', 'latte-cli@' + VERSION], check=True)
    return LATTE


def latte_rows_per_second(cluster, settings, rows, concurrency):
    """Writes that many rows into the installation's keyspace."""
    with tempfile.TemporaryDirectory(prefix='orderly-bench-latte-') as directory:  # it leaves a log where it runs
        report = os.path.join(directory, 'report.json')
        subprocess.run([latte(), 'run', os.path.abspath('bench/orders.rn'), *cluster.environment['CASSANDRA_CONTACT_POINTS'].split(','),
                        '--quiet', '--threads', '1', '--concurrency', str(concurrency), '--warmup', '5000', '--duration', str(rows),
                        '-P', f'keyspace="{settings["ORDERLY_NAMESPACE"]}orders"', '--output', report],
                       check=True, cwd=directory, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with open(report) as file:
            result = json.load(file)['result']
    return result['request_count'] / result['elapsed_time_s']
