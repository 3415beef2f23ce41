"""The rows of the cluster's table: each measures one goal and yields {what, value, goal, met, detail}."""
import os
import statistics
import subprocess
import tempfile
import time
import uuid

from cluster_latte import latte_rows_per_second
from cluster_peers import Installation
from peers import Orderly, cpu_seconds, pace, rss_anon_mib, wait_for, wrk

PENDING = {'ORDERLY_PENDING_MAX': '1000000'}  # `orderly api` alone: nothing takes the orders out of its table


def median(runs, key=None):
    return statistics.median(run[key] if key else run for run in runs)


def cpu_text(cluster, before, orders):
    after = cluster.cpu()
    return ', '.join(f'{name} {(after[name] - before[name]) / orders * 1e6:.0f}' for name in sorted(after))


def post_ack(options, cluster, _results):
    """POST durable on Kafka against POST durable in the embedded log, both at the log's acknowledgement."""
    ours, theirs, service_us = [], [], ''
    settings = cluster.settings(**PENDING)
    cluster.setup(options.orderly, settings)
    for _ in range(options.runs):
        with Orderly(options.orderly, 'api', settings=PENDING) as server:
            theirs.append(wrk(server.url('/orders'), server.pids(), options.connections, options.seconds, True))
        with Installation(cluster, options.orderly, 'api', settings) as server:
            before = cluster.cpu()
            ours.append(wrk(server.url('/orders'), server.pids(), options.connections, options.seconds, True))
            service_us = cpu_text(cluster, before, ours[-1]['requests'])
    ratios = [a['rate'] / b['rate'] for a, b in zip(ours, theirs)]
    ratio, bad = statistics.median(ratios), sum(run['bad'] for run in ours)
    yield {'what': "POST on Kafka, acks=all / embedded, at the ack", 'value': f'{ratio:.2f}x', 'goal': '>= 0.6x',
           'met': ratio >= 0.6 and bad == 0, 'ratio': ratio, 'ratios': ratios, 'ours': ours, 'theirs': theirs,
           'detail': f"{median(ours, 'rate'):,.0f}/s, CPU us each: orderly {median(ours, 'server_us'):.1f}, client "
                     f"{median(ours, 'client_us'):.1f}, {service_us}; p99 {median(ours, 'p99_us') / 1000:.1f} ms; embedded "
                     f"{median(theirs, 'rate'):,.0f}/s ({median(theirs, 'server_us'):.1f} us); ratios {min(ratios):.2f}-"
                     f"{max(ratios):.2f}, failed {bad}"}


def write_orders(path, count):
    with open(path, 'w') as out:
        for i in range(count):
            out.write(f'{{"customer_name":"Customer {i % 1000}","item":"lamp","quantity":{i % 9 + 1},"unit_price":1999}}\n')


def import_orders(options, settings, path):
    """Sends a file through the log: records per second, and CPU microseconds each."""
    before, times = time.monotonic(), os.times()
    subprocess.run([options.orderly, 'import', '--id', uuid.uuid4().hex, path], env={**os.environ, **settings}, check=True,
                   stderr=subprocess.DEVNULL)
    seconds, after = time.monotonic() - before, os.times()
    used = after.children_user + after.children_system - times.children_user - times.children_system
    return {'rate': options.orders / seconds, 'us': used / options.orders * 1e6}


RECORD_SIZE = 560  # bytes of a command of write_orders with key and headers


def bulk(options, cluster, _results):
    """`orderly import`, the producer alone, against Kafka's own load tool with records of the same size."""
    ours, theirs = [], []
    with tempfile.TemporaryDirectory(prefix='orderly-bench-') as directory:
        path = os.path.join(directory, 'orders.ndjson')
        write_orders(path, options.orders)
        settings = cluster.settings()
        cluster.setup(options.orderly, settings)
        for _ in range(options.runs):
            topic = 'perf-' + uuid.uuid4().hex[:8]
            cluster.make_topic(topic, 12)
            theirs.append(cluster.producer_perf(topic, options.orders, RECORD_SIZE))
            ours.append(import_orders(options, settings, path))
    ratios = [a['rate'] / b for a, b in zip(ours, theirs)]
    ratio = statistics.median(ratios)
    yield {'what': 'orderly import on Kafka / ProducerPerformance', 'value': f'{ratio:.2f}x', 'goal': '>= 0.5x', 'met': ratio >= 0.5,
           'ratio': ratio, 'ratios': ratios, 'ours': ours, 'theirs': theirs,
           'detail': f"{median(ours, 'rate'):,.0f} orders/s ({median(ours, 'us'):.1f} us CPU each, checking every line first "
                     f"included); the tool {median(theirs):,.0f} records/s of {RECORD_SIZE} bytes"}


def fill_commands(options, cluster):
    """An installation whose log holds a backlog that nobody has processed."""
    settings = cluster.settings()
    cluster.setup(options.orderly, settings)
    with tempfile.TemporaryDirectory(prefix='orderly-bench-') as directory:
        path = os.path.join(directory, 'orders.ndjson')
        write_orders(path, options.orders)
        import_orders(options, settings, path)
    return settings


ROWS_EACH = 4  # a create's: version, status, and in two listings; a busy listing's directory is not worth counting
CONCURRENCY = 1024  # requests in flight, as many as the adapter allows itself


def pipeline(options, cluster, _results):
    """A backlog of creates through the consumer, in rows written to Cassandra, against a load tool that writes such rows."""
    ours, theirs = [], []
    for _ in range(options.runs):
        settings = fill_commands(options, cluster)
        theirs.append(latte_rows_per_second(cluster, settings, options.orders * ROWS_EACH, CONCURRENCY))
        before = cluster.cpu()
        started = time.monotonic()
        with Installation(cluster, options.orderly, 'serve', settings) as server:
            wait_for('processing', lambda: server.lag() == 0, 600)
            seconds = time.monotonic() - started
            used = cpu_seconds(server.pids())
        ours.append({'rate': options.orders * ROWS_EACH / seconds, 'orders': options.orders / seconds, 'us': used / options.orders * 1e6,
                     'services': cpu_text(cluster, before, options.orders)})
    ratios = [a['rate'] / b for a, b in zip(ours, theirs)]
    ratio = statistics.median(ratios)
    yield {'what': 'pipeline into Cassandra / latte, rows', 'value': f'{ratio:.2f}x', 'goal': '>= 0.8x', 'met': ratio >= 0.8,
           'ratio': ratio, 'ratios': ratios, 'ours': ours, 'theirs': theirs,
           'detail': f"{median(ours, 'rate'):,.0f} rows/s, {median(ours, 'orders'):,.0f} orders/s with {ROWS_EACH} rows "
                     f"each; CPU us per order: orderly {median(ours, 'us'):.0f}, {ours[-1]['services']}; latte "
                     f"{median(theirs):,.0f} rows/s"}


def visible(options, cluster, _results):
    """create -> visible in the store at half of the highest load that is processed without growing lag."""
    with Installation(cluster, options.orderly) as server:
        before = cluster.cpu()
        full = wrk(server.url('/orders'), server.pids(), options.connections, options.seconds * 2, True)
        started = time.monotonic()
        wait_for('processing', lambda: server.lag() == 0, 600)
        rate = full['requests'] / (options.seconds * 2 + time.monotonic() - started)
        services = cpu_text(cluster, before, full['requests'])
        runs = [pace(options.pace, server.port, max(1, int(rate / 2)), options.seconds, options.connections, 10)
                for _ in range(options.runs)]
    p = {key: statistics.median(run['visible'][key] for run in runs) for key in ('p50_ms', 'p99_ms', 'p999_ms')}
    yield {'what': 'create -> visible on the cluster, p99', 'value': f"{p['p99_ms']:.1f} ms", 'goal': 'stated', 'met': None, 'runs': runs,
           'detail': f"at {rate / 2:,.0f} POST/s (half of {rate:,.0f} processed/s): p50 {p['p50_ms']:.1f} ms, p99.9 {p['p999_ms']:.1f} ms; "
                     f"CPU us per order at full load: orderly {full['server_us']:.0f}, {services}"}


def slope_mib_per_100k(samples):
    """Least squares of memory over orders."""
    mean_x, mean_y = statistics.mean(x for x, _ in samples), statistics.mean(y for _, y in samples)
    spread = sum((x - mean_x) ** 2 for x, _ in samples)
    return sum((x - mean_x) * (y - mean_y) for x, y in samples) / spread * 100_000 if spread else 0.0


def memory(options, cluster, _results):
    """RssAnon of api and consumer while 300,000 orders go through, each in a process of its own, after as many in which
    pools and buffers fill."""
    settings = cluster.settings()
    cluster.setup(options.orderly, settings)
    api_samples, consumer_samples, orders = [], [], 0
    with Installation(cluster, options.orderly, 'consumer', settings) as consumer:
        with Installation(cluster, options.orderly, 'api', settings) as api:
            while orders < 2 * options.memory_orders:
                orders += wrk(api.url('/orders'), api.pids(), 64, 2, True)['requests']
                wait_for('processing', lambda: api.metric('orderly_api_pending') < 1000, 300)
                if orders > options.memory_orders:
                    api_samples.append((orders, rss_anon_mib(api.process.pid)))
                    consumer_samples.append((orders, rss_anon_mib(consumer.process.pid)))
    slopes = slope_mib_per_100k(api_samples), slope_mib_per_100k(consumer_samples)
    yield {'what': f'memory over {orders - options.memory_orders:,} orders, slope', 'value': f'{max(slopes):.2f} MiB/100k', 'goal': '<= 1 MiB/100k',
           'met': max(slopes) <= 1, 'samples': {'api': api_samples, 'consumer': consumer_samples},
           'detail': f'api {slopes[0]:+.2f}, at the end {api_samples[-1][1]:.1f} MiB; consumer {slopes[1]:+.2f}, at the end '
                     f'{consumer_samples[-1][1]:.1f} MiB'}


ROWS = [('ack', post_ack), ('bulk', bulk), ('cassandra', pipeline), ('visible', visible), ('memory', memory)]
