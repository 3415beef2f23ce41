"""Kafka in KRaft mode: each node is broker and controller in one process."""
import os
import struct
import subprocess

from .java import COMMON, TOOL, JavaNode
from .node import receive

HEAP_ALONE, HEAP_OF_THREE = '512m', '320m'
ANSWER_MAX_BYTES = 1 << 20
METADATA, METADATA_VERSION = 3, 4
TOOLS = {
    'topics': 'org.apache.kafka.tools.TopicCommand',
    'groups': 'org.apache.kafka.tools.consumer.group.ConsumerGroupCommand',
    'configs': 'kafka.admin.ConfigCommand',
    'producer-perf': 'org.apache.kafka.tools.ProducerPerformance',
    'consumer-perf': 'org.apache.kafka.tools.ConsumerPerformance',
}
# What Kafka's own scripts give the tools that measure: they are compared with, and must not be held back.
MEASURING = [*COMMON, '-Xmx512m', '-XX:+UseG1GC', '-XX:MaxGCPauseMillis=20', '-XX:InitiatingHeapOccupancyPercent=35',
             '-XX:+ExplicitGCInvokesConcurrent']


class Kafka(JavaNode):
    quorum = staticmethod(lambda count: count // 2 + 1)  # of the controllers

    def listens(self):
        return [(self.address, self.port), (self.address, self.record['controller_port'])]

    def prepare(self):
        nodes = self.plan.of('kafka')
        data = os.path.join(self.directory, 'data')
        path = self.write_configuration(
            'server.properties', index=self.index, address=self.address, port=self.port,
            controller_port=self.record['controller_port'], data=data,
            voters=','.join(f"{node['index']}@{node['address']}:{node['controller_port']}" for node in nodes),
            replicas=len(nodes), in_sync=min(len(nodes), 2))
        if not os.path.exists(os.path.join(data, 'meta.properties')):
            self._format(path)

    def _format(self, path):
        command = self.named_tool('kafka.tools.StorageTool', 'format', '-t', self.plan.kafka_cluster_id, '-c', path)
        with open(self.log_path, 'ab') as log:
            code = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=False).returncode
        if code:
            raise self.failure('could not format its directory')

    def _logging(self):
        return f"-Dlog4j2.configurationFile={self.home_file('log4j2.properties')}"

    def command(self):
        heap = HEAP_ALONE if len(self.plan.of('kafka')) == 1 else HEAP_OF_THREE
        return self.server(f'-Xmx{heap}', '-XX:+UseG1GC', '-XX:MaxGCPauseMillis=20', self._logging(),
                           'kafka.Kafka', os.path.join(self.directory, 'server.properties'))

    def named_tool(self, name, *arguments):
        """The command line of one of Kafka's own tools, by alias or class."""
        options = MEASURING if name.endswith('-perf') else TOOL
        return self.tool('-Dorderly.log.level=WARN', '-Dorderly.log.target=SYSTEM_ERR', self._logging(),
                         TOOLS.get(name, name), *arguments, options=options)

    def seen(self):
        """A Metadata request without topics; the answer lists the brokers that are not fenced."""
        request = struct.pack('>hhihi?', METADATA, METADATA_VERSION, 1, -1, 0, False)
        try:
            with self.connect() as connection:
                connection.sendall(struct.pack('>i', len(request)) + request)
                size = struct.unpack('>i', receive(connection, 4))[0]
                if not 0 < size <= ANSWER_MAX_BYTES:
                    return None
                brokers = _broker_ids(receive(connection, size))
        except (OSError, struct.error):
            return None
        return brokers if self.index in brokers else None


def _broker_ids(answer):
    """The ids in a Metadata answer: correlation, throttle, then id, host, port and rack of each broker."""
    count = struct.unpack_from('>i', answer, 8)[0]
    at, found = 12, set()
    for _ in range(count):
        broker, host_size = struct.unpack_from('>ih', answer, at)
        at += 6 + host_size + 4
        rack_size = struct.unpack_from('>h', answer, at)[0]
        at += 2 + max(rack_size, 0)
        found.add(broker)
    return found
