"""What the first `up` chose, in DIR/cluster.json: services, nodes, addresses, ports. It holds until `wipe`."""
import base64
import json
import os
import re
import uuid

from .directory import lock, write_whole
from .ports import Chooser, known_clusters, taken
from .report import EXIT_NOT_UP, Failure

FILE = 'cluster.json'
FORMAT = 1
SERVICES = ('kafka', 'cassandra', 'redis')
DEFAULT_PORTS = {'kafka': 9092, 'cassandra': 9042, 'redis': 6379}
NODES = (1, 3)  # two would be no safer than one: a majority of two is both
# Kafka and Cassandra take the directory's name in lists, patterns and templates of several kinds.
DIRECTORY_NAME = re.compile(r'[A-Za-z0-9 ._+@=/-]+')


class Plan:
    """`nodes` is a list of {name, service, index, address, port} with further ports by service."""

    def __init__(self, directory, record):
        self.directory = directory
        self.kafka_cluster_id = record['kafka_cluster_id']
        self.nodes = record['nodes']
        self.for_load = record.get('for_load', False)

    def of(self, service):
        return [node for node in self.nodes if node['service'] == service]

    def services(self):
        return [service for service in SERVICES if self.of(service)]

    def addresses(self, service):
        return ','.join(f"{node['address']}:{node['port']}" for node in self.of(service))

    def environment(self):
        """How programs find the services."""
        found = {}
        if self.of('kafka'):
            found['KAFKA_BOOTSTRAP_SERVERS'] = self.addresses('kafka')
        if self.of('cassandra'):
            found['CASSANDRA_CONTACT_POINTS'] = self.addresses('cassandra')
        for node in self.of('redis'):
            found['REDIS_HOST'] = node['address']
            found['REDIS_PORT'] = str(node['port'])
        return found


def load(directory):
    """The plan, or None if there is none."""
    try:
        with open(os.path.join(directory, FILE), encoding='utf-8') as file:
            record = json.load(file)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except ValueError:
        record = {}
    if not isinstance(record, dict) or record.get('orderly_cluster') != FORMAT:
        raise Failure(f'{directory}/{FILE} is not a file of this launcher')
    return Plan(directory, record)


def require(directory):
    plan = load(directory)
    if not plan:
        raise Failure(f'no cluster in {directory}; `cluster up` makes one', EXIT_NOT_UP)
    return plan


def load_or_make(directory, wishes):
    """The plan in the directory, which must agree with the wishes; or a new one from them, recorded."""
    _check_directory(directory)
    os.makedirs(directory, mode=0o700, exist_ok=True)
    with lock(directory):
        plan = load(directory)
        if plan:
            _check_agrees(plan, wishes)
            return plan
        if os.listdir(directory):
            raise Failure(f'{directory} is neither empty nor the directory of a cluster')
        with known_clusters() as (used, add):
            try:
                record = _make(wishes, used)
            except Failure:
                os.rmdir(directory)
                raise
            write_whole(os.path.join(directory, FILE), json.dumps(record, indent=1) + '\n')
            add(directory)
        return Plan(directory, record)


def _check_directory(directory):
    if not DIRECTORY_NAME.fullmatch(directory):
        raise Failure(f'{directory}: Kafka and Cassandra want a name of letters, digits, spaces and . _ + @ = - /')
    if os.path.exists(directory) and os.stat(directory).st_uid != os.geteuid():
        raise Failure(f'{directory} belongs to another user')


def _check_agrees(plan, wishes):
    """An option that was given must say what the plan says: ports and nodes do not change under the data."""
    for service in plan.services():
        nodes = plan.of(service)
        if wishes.nodes and service != 'redis' and len(nodes) != wishes.nodes:
            raise Failure(f'{plan.directory} has {len(nodes)} node(s) of {service}, not {wishes.nodes}; '
                          '`wipe` comes first')
        port = wishes.ports[service]
        if port and nodes[0]['port'] != port:
            raise Failure(f"{plan.directory} has {service} on port {nodes[0]['port']}, not {port}; `wipe` comes first")
    if wishes.services and set(wishes.services) != set(plan.services()):
        raise Failure(f'{plan.directory} has {", ".join(plan.services())}, not {", ".join(wishes.services)}; '
                      '`wipe` comes first')


def _make(wishes, used):
    count = wishes.nodes or 1
    services = wishes.services or SERVICES
    given = {port + index for port in wishes.ports.values() if port for index in range(max(NODES))}
    chooser = Chooser([f'127.0.0.{index}' for index in range(1, max(NODES) + 1)], used | given)
    nodes = []
    for service in SERVICES:
        if service in services:
            port = wishes.ports[service] or (None if wishes.free_ports else DEFAULT_PORTS[service])
            nodes += MAKERS[service](count, port, chooser)
    for node in nodes:
        if sum((node['address'], node['port']) == (other['address'], other['port']) for other in nodes) > 1:
            raise Failure(f"port {node['address']}:{node['port']} is wanted twice")
        if taken(node['address'], node['port']):
            raise Failure(f"port {node['address']}:{node['port']}, for {node['name']}, is taken by another process; "
                          f"--{node['service']}-port sets another, --free-ports picks free ones")
    return {
        'orderly_cluster': FORMAT,
        'kafka_cluster_id': kafka_cluster_id(uuid.uuid4()),
        'nodes': nodes,
        'for_load': wishes.for_load,
        'all_ports': sorted({value for node in nodes for name, value in node.items() if name.endswith('port')}),
    }


def kafka_cluster_id(made):
    """In Kafka's form. One that begins with "-" its tools would take for an option: another is made, as Kafka does."""
    text = base64.urlsafe_b64encode(made.bytes).decode().rstrip('=')
    return text if text[0] != '-' else kafka_cluster_id(uuid.uuid4())


def _node(service, index, address, port, **more):
    return {'name': service if index == 1 else f'{service}-{index}', 'service': service, 'index': index,
            'address': address, 'port': port, **more}


def _make_kafka(count, port, chooser):
    """One address; each broker has the next port."""
    return [_node('kafka', index, '127.0.0.1', port + index - 1 if port else chooser.pick(),
                  controller_port=chooser.pick())
            for index in range(1, count + 1)]


def _make_cassandra(count, port, chooser):
    """An address for each node, since all nodes of a ring have the same ports. JMX has one address only."""
    port = port or chooser.pick()
    storage_port = chooser.pick()
    return [_node('cassandra', index, f'127.0.0.{index}', port, storage_port=storage_port, jmx_port=chooser.pick())
            for index in range(1, count + 1)]


def _make_redis(_, port, chooser):
    return [_node('redis', 1, '127.0.0.1', port or chooser.pick())]


MAKERS = {'kafka': _make_kafka, 'cassandra': _make_cassandra, 'redis': _make_redis}
