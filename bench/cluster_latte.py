"""latte, a load tool for Cassandra (a Rust crate), writing rows like ours."""
import json
import os
import subprocess
import sys
import tempfile

LATTE = os.path.join('build', 'deps', 'latte', 'bin', 'latte')
VERSION = '0.29.0'


def latte():
    if not os.path.exists(LATTE):
        print('bench: building latte, once, some ten minutes', file=sys.stderr, flush=True)
        subprocess.run(['cargo', 'install', '--quiet', '--locked', '--root', 'build/deps/latte', 'latte-cli@' + VERSION], check=True)
    return LATTE


def latte_rows_per_second(cluster, settings, rows, concurrency):
    """Writes that many rows into the installation's keyspace."""
    with tempfile.NamedTemporaryFile(suffix='.json') as report:
        subprocess.run([latte(), 'run', 'bench/orders.rn', *cluster.environment['CASSANDRA_CONTACT_POINTS'].split(','), '--quiet',
                        '--threads', '1', '--concurrency', str(concurrency), '--warmup', '5000', '--duration', str(rows),
                        '-P', f'keyspace="{settings["ORDERLY_NAMESPACE"]}orders"', '--output', report.name],
                       check=True, stdout=subprocess.DEVNULL)
        result = json.load(open(report.name))['result']
    return result['request_count'] / result['elapsed_time_s']
