"""The programs of a benchmark: nginx as the peer, orderly, wrk as the client, and what each used of the processor."""
import http.client
import json
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request

TICKS = os.sysconf('SC_CLK_TCK')
BODY = ('{"customer_name":"Ada","items":[{"item":"lamp","quantity":2,"unit_price":1999},'
        '{"item":"shade","quantity":1,"unit_price":499}]}')


# A thousand customers in turn: one customer alone would be a gift to the listing by customer.
POST_SCRIPT = f"""
local requests, next = {{}}, 0
init = function()
  for i = 1, 1000 do
    local body = string.gsub('{BODY}', 'Ada', 'Customer ' .. i)
    requests[i] = wrk.format('POST', nil, {{['Content-Type'] = 'application/json'}}, body)
  end
end
request = function()
  next = next % 1000 + 1
  return requests[next]
end
"""


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


def cpu_seconds(pids):
    total = 0
    for pid in pids:
        fields = open(f'/proc/{pid}/stat').read().rsplit(')', 1)[1].split()
        total += (int(fields[11]) + int(fields[12])) / TICKS
    return total


def rss_anon_mib(pid):
    line = next(line for line in open(f'/proc/{pid}/status') if line.startswith('RssAnon'))
    return int(line.split()[1]) / 1024


def wait_for(what, check, seconds=30):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            value = check()
            if value:
                return value
        except OSError:
            pass
        time.sleep(0.005)
    raise SystemExit(f'bench: {what} did not come within {seconds} s')


class Nginx:
    """nginx answering a static 200 on a free port, two workers."""

    def __enter__(self):
        self.directory = tempfile.mkdtemp(prefix='orderly-bench-nginx-')
        self.port = free_port()
        config = os.path.join(self.directory, 'nginx.conf')
        with open(config, 'w') as out:
            out.write(f'daemon off; worker_processes {os.cpu_count()}; pid {self.directory}/pid; error_log /dev/null;\n'
                      f'events {{ worker_connections 4096; }}\n'
                      f'http {{ access_log off; keepalive_requests 1000000000; client_body_temp_path {self.directory}/b;\n'
                      f'proxy_temp_path {self.directory}/p; fastcgi_temp_path {self.directory}/f;\n'
                      f'uwsgi_temp_path {self.directory}/u; scgi_temp_path {self.directory}/s;\n'
                      f'server {{ listen 127.0.0.1:{self.port}; location / {{ return 200 "ok"; }} }} }}\n')
        self.process = subprocess.Popen(['nginx', '-c', config, '-p', self.directory], stderr=subprocess.DEVNULL)
        wait_for('nginx', lambda: socket.create_connection(('127.0.0.1', self.port), 1))
        return self

    def pids(self):
        children = subprocess.run(['pgrep', '-P', str(self.process.pid)], capture_output=True, text=True).stdout.split()
        return [self.process.pid] + [int(pid) for pid in children]

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)


class Orderly:
    """One `orderly COMMAND` on its own data directory and a free port."""

    def __init__(self, binary, command='serve', data=None, settings=None, wait=True):
        self.own_data = data is None
        self.data = data or tempfile.mkdtemp(prefix='orderly-bench-')
        self.port = free_port()
        self.command = command
        self.environment = dict(os.environ, ORDERLY_DATA_DIR=self.data, ORDERLY_PORTS=str(self.port), ORDERLY_LOG_LEVEL='warn',
                                **(settings or {}))
        self.binary = binary
        started = time.monotonic()
        self.process = subprocess.Popen([binary, command], env=self.environment)
        if wait and command != 'consumer':
            wait_for('orderly', self.is_live)
        self.start_ms = (time.monotonic() - started) * 1000

    def __enter__(self):
        return self

    def is_live(self):
        connection = http.client.HTTPConnection('127.0.0.1', self.port, timeout=2)
        connection.request('GET', '/health/live')
        return connection.getresponse().status == 200

    def pids(self):
        return [self.process.pid]

    def url(self, path):
        return f'http://127.0.0.1:{self.port}{path}'

    def get(self, path):
        with urllib.request.urlopen(self.url(path)) as answer:
            return json.loads(answer.read())

    def post(self, body=BODY):
        request = urllib.request.Request(self.url('/orders'), body.encode(), {'content-type': 'application/json'})
        with urllib.request.urlopen(request) as answer:
            return json.loads(answer.read())

    def metric(self, name):
        text = urllib.request.urlopen(self.url('/metrics')).read().decode()
        return sum(float(line.rsplit(' ', 1)[1]) for line in text.splitlines() if re.match(name + r'[ {]', line))

    def lag(self):
        text = urllib.request.urlopen(self.url('/metrics')).read().decode()
        lags = [float(line.rsplit(' ', 1)[1]) for line in text.splitlines() if line.startswith('orderly_pipeline_lag{')]
        return sum(lags) if min(lags) >= 0 else float('inf')  # -1: not assigned yet

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def __exit__(self, *_):
        self.stop()
        if self.own_data:
            shutil.rmtree(self.data, ignore_errors=True)


def wrk(url, pids, connections, seconds, post=False, processes=()):
    """One wrk run: requests per second, CPU microseconds per request of the server and of the client, failures."""
    with tempfile.NamedTemporaryFile('w', suffix='.lua') as script:
        if post:
            script.write(POST_SCRIPT)
        script.flush()
        before, client_before = cpu_seconds(pids), resource.getrusage(resource.RUSAGE_CHILDREN)
        out = subprocess.run(['wrk', '-t1', f'-c{connections}', f'-d{round(seconds)}s', '--latency', '-s', script.name, url],
                             capture_output=True, text=True, check=True).stdout
        client_after = resource.getrusage(resource.RUSAGE_CHILDREN)
        used = cpu_seconds(pids) - before
    requests = int(re.search(r'(\d+) requests in', out).group(1))
    bad = re.search(r'Non-2xx or 3xx responses: (\d+)', out)
    lost = re.search(r'Socket errors: (.*)', out)
    client = client_after.ru_utime + client_after.ru_stime - client_before.ru_utime - client_before.ru_stime
    return {'rate': float(re.search(r'Requests/sec:\s+([\d.]+)', out).group(1)), 'requests': requests,
            'server_us': used / requests * 1e6, 'client_us': client / requests * 1e6,
            'bad': int(bad.group(1)) if bad else 0, 'lost': lost.group(1) if lost else '',
            'p50_us': latency(out, '50%'), 'p99_us': latency(out, '99%')}


def latency(out, name):
    match = re.search(rf'^\s+{name}\s+([\d.]+)(us|ms|s)$', out, re.M)
    return float(match.group(1)) * {'us': 1, 'ms': 1e3, 's': 1e6}[match.group(2)]


def build_pace():
    path = os.path.join('build', 'pace')
    os.makedirs('build', exist_ok=True)
    subprocess.run(['cc', '-O2', '-std=gnu11', '-D_GNU_SOURCE', '-o', path, 'bench/pace.c'], check=True)
    return path


def pace(binary, port, rate, seconds, connections, probe_every):
    out = subprocess.run([binary, str(port), str(rate), str(seconds), str(connections), str(probe_every)],
                         capture_output=True, text=True, check=True).stdout
    return json.loads(out)
