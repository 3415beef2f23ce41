"""The rows of the table: each measures one goal and yields {what, value, goal, met, detail}."""
import json
import os
import shutil
import statistics
import subprocess
import tempfile
import time

from peers import BODY, Orderly, pace, rss_anon_mib, wait_for, wrk

PENDING = {'ORDERLY_PENDING_MAX': '1000000'}  # `orderly api` alone: nothing takes the orders out of its table
MIB = 1 << 20


def ratio_row(what, goal, ours, theirs, extra=''):
    ratios = [a['rate'] / b['rate'] for a, b in zip(ours, theirs)]
    ratio = statistics.median(ratios)

    def median(runs, key):
        return statistics.median(run[key] for run in runs)

    bad = sum(run['bad'] for run in ours)
    return {'what': what, 'value': f'{ratio:.2f}x', 'goal': f'>= {goal}x', 'met': ratio >= goal and bad == 0,
            'ratio': ratio, 'ratios': ratios, 'ours': ours, 'theirs': theirs,
            'detail': f"{median(ours, 'rate'):,.0f}/s ({median(ours, 'server_us'):.1f} us CPU each, client "
                      f"{median(ours, 'client_us'):.1f}), p99 {median(ours, 'p99_us') / 1000:.1f} ms; nginx "
                      f"{median(theirs, 'rate'):,.0f}/s ({median(theirs, 'server_us'):.1f} us); ratios "
                      f"{min(ratios):.2f}-{max(ratios):.2f}, failed {bad}{extra}"}


def post_ack(options, nginx, _results):
    ours, theirs = [], []
    for _ in range(options.runs):
        theirs.append(wrk(f'http://127.0.0.1:{nginx.port}/orders', nginx.pids(), options.connections, options.seconds, True))
        with Orderly(options.orderly, 'api', settings=PENDING) as server:
            ours.append(wrk(server.url('/orders'), server.pids(), options.connections, options.seconds, True))
    yield ratio_row("POST durable at the log's ack (orderly api)", 0.6, ours, theirs)


def post_processed(options, nginx, _results):
    ours, theirs, lags = [], [], []
    for _ in range(options.processed_runs):
        theirs.append(wrk(f'http://127.0.0.1:{nginx.port}/orders', nginx.pids(), options.connections, options.seconds, True))
        with Orderly(options.orderly) as server:
            run = wrk(server.url('/orders'), server.pids(), options.connections, options.processed_seconds, True)
            lags.append(server.lag() / run['rate'])
            ours.append(run)
    row = ratio_row('POST durable and processed (orderly serve)', 0.3, ours, theirs,
                    f', lag at the end {max(lags) * 1000:.0f} ms')
    row['met'] = row['met'] and max(lags) <= 1
    yield row


def get_cached(options, nginx, _results):
    ours, theirs = [], []
    with Orderly(options.orderly) as server:
        path = '/orders/' + server.post()['order_id']
        time.sleep(0.2)
        for _ in range(options.runs):
            theirs.append(wrk(f'http://127.0.0.1:{nginx.port}{path}', nginx.pids(), options.connections, options.seconds))
            ours.append(wrk(server.url(path), server.pids(), options.connections, options.seconds))
    yield ratio_row('GET from the own cache', 0.7, ours, theirs)


def fill(options, data, count):
    """Makes a data directory with that many orders: imports them and lets a consumer process them."""
    path = os.path.join(data, 'orders.ndjson')
    with open(path, 'w') as out:
        for i in range(count):
            out.write(f'{{"customer_name":"Customer {i % 1000}","item":"lamp","quantity":{i % 9 + 1},"unit_price":1999}}\n')
    directory = os.path.join(data, 'orderly')
    environment = dict(os.environ, ORDERLY_DATA_DIR=directory)
    subprocess.run([options.orderly, 'import', '--id', 'bench', path], env=environment, check=True, stderr=subprocess.DEVNULL)
    os.unlink(path)
    server = Orderly(options.orderly, data=directory)
    wait_for('processing', lambda: server.lag() == 0, 3600)
    return server


def list_pages(options, _nginx, _results):
    counts = [10, 10_000, 1_000_000] + ([10_000_000] if options.ten_million else [])
    root = tempfile.mkdtemp(prefix='orderly-bench-list-')
    servers, times = {}, {count: [] for count in counts}
    try:
        for count in counts:
            directory = os.path.join(root, str(count))
            os.mkdir(directory)
            servers[count] = fill(options, directory, count)
        for _ in range(options.runs):
            for count in counts:
                server = servers[count]
                times[count].append(wrk(server.url('/orders?limit=10'), server.pids(), 4, 2)['rate'])
        base = statistics.median(times[10])
        for count in counts[1:]:
            ratio = base / statistics.median(times[count])
            yield {'what': f'list page of 10 at {count:,} orders', 'value': f'{ratio:.2f}x', 'goal': '<= 1.2x', 'ratio': ratio,
                   'met': ratio <= 1.2, 'detail': f'{statistics.median(times[count]):,.0f} pages/s; at 10 orders {base:,.0f}'}
    finally:
        for server in servers.values():
            server.stop()
        shutil.rmtree(root, ignore_errors=True)


def create_to_visible(options, _nginx, results):
    full = next((row for row in results if row['what'].startswith('POST durable and processed')), None)
    with Orderly(options.orderly) as server:
        rate = (statistics.median(run['rate'] for run in full['ours']) if full
                else wrk(server.url('/orders'), server.pids(), options.connections, options.seconds, True)['rate'])
        wait_for('processing', lambda: server.lag() == 0)
        runs = [pace(options.pace, server.port, int(rate / 2), options.seconds, options.connections, 200)
                for _ in range(options.runs)]
    p99 = statistics.median(run['visible']['p99_ms'] for run in runs)
    yield {'what': 'create -> visible in the store, p99', 'value': f'{p99:.1f} ms', 'goal': '<= 10 ms', 'met': p99 <= 10,
           'runs': runs, 'detail': f"at {rate / 2:,.0f} POST/s, p50 {statistics.median(r['visible']['p50_ms'] for r in runs):.1f} ms, "
                                   f"p99.9 {statistics.median(r['visible']['p999_ms'] for r in runs):.1f} ms; POST itself p99 "
                                   f"{statistics.median(r['post']['p99_ms'] for r in runs):.1f} ms"}


def start_and_memory(options, _nginx, _results):
    starts = []
    data = tempfile.mkdtemp(prefix='orderly-bench-start-')
    try:
        for _ in range(options.runs + 1):  # the first makes the data directory
            with Orderly(options.orderly, data=data) as server:
                starts.append(server.start_ms)
        with Orderly(options.orderly, data=data) as server:
            time.sleep(2)
            idle = rss_anon_mib(server.process.pid)
            wrk(server.url('/orders'), server.pids(), options.connections, options.seconds, True)
            wait_for('processing', lambda: server.lag() == 0)
            loaded = rss_anon_mib(server.process.pid)
    finally:
        shutil.rmtree(data, ignore_errors=True)
    start = statistics.median(starts[1:])
    yield {'what': 'start to first answer', 'value': f'{start:.0f} ms', 'goal': '<= 100 ms', 'met': start <= 100,
           'detail': f'first start with an empty directory {starts[0]:.0f} ms'}
    yield {'what': 'memory, idle (RssAnon)', 'value': f'{idle:.1f} MiB', 'goal': '<= 64 MiB', 'met': idle <= 64,
           'detail': f'after a load of {options.seconds:.0f} s: {loaded:.1f} MiB'}


ROWS = [('start', start_and_memory), ('ack', post_ack), ('processed', post_processed), ('get', get_cached),
        ('visible', create_to_visible), ('list', list_pages)]
