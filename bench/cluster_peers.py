"""The real services of a benchmark, and the programs that they are compared with: Kafka's ProducerPerformance, latte."""
import json
import os
import re
import subprocess
import uuid

from peers import Orderly, cpu_seconds

LAUNCHER = os.path.join('deploy', 'local', 'cluster')


class Cluster:
    """Kafka, Cassandra and Redis, one node each, on free ports, in a directory of their own."""

    def __init__(self, directory):
        self.directory = directory

    def run(self, *arguments, **more):
        return subprocess.run([LAUNCHER, '--dir', self.directory, *arguments], text=True, **{'check': True, **more})

    def __enter__(self):
        self.run('up', '--free-ports', '--for-load')
        lines = self.run('env', capture_output=True).stdout.splitlines()
        self.environment = dict(line.removeprefix('export ').replace("'", '').split('=', 1) for line in lines if '=' in line)
        return self

    def __exit__(self, *_):
        self.run('wipe')

    def settings(self, **more):
        """The environment of an installation of its own: a new namespace each time."""
        return {**self.environment, 'ORDERLY_NAMESPACE': 'bench' + uuid.uuid4().hex[:8], **more}

    def setup(self, binary, settings):
        subprocess.run([binary, 'setup'], env={**os.environ, **settings}, check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)

    def pids(self):
        """{name: pid} of the services."""
        status = json.loads(self.run('status', '--json', capture_output=True, check=False).stdout)  # 1: one is busy
        nodes = status['nodes'] if isinstance(status, dict) else status
        return {node['name']: node['pid'] for node in nodes}

    def cpu(self):
        return {name: cpu_seconds(threads_of(pid)) for name, pid in self.pids().items()}

    def producer_perf(self, topic, records, size):
        """Kafka's own load tool on a new topic: records per second."""
        out = self.run('kafka-tool', 'producer-perf', '--topic', topic, '--num-records', str(records), '--record-size', str(size),
                       '--throughput', '-1', '--producer-props', 'acks=all', 'bootstrap.servers=' +
                       self.environment['KAFKA_BOOTSTRAP_SERVERS'], capture_output=True).stdout
        return float(re.findall(r'([\d.]+) records/sec', out)[-1])

    def make_topic(self, topic, partitions):
        self.run('kafka-tool', 'topics', '--create', '--topic', topic, '--partitions', str(partitions), capture_output=True)


def threads_of(pid):
    return [pid]  # /proc/PID/stat counts the threads already


class Installation(Orderly):
    """One `orderly COMMAND` on the cluster."""

    def __init__(self, cluster, binary, command='serve', settings=None):
        self.cluster = cluster
        own = settings or cluster.settings()
        if settings is None:
            cluster.setup(binary, own)
        super().__init__(binary, command, settings=own)
