"""Cassandra: a single node, or a ring of three on 127.0.0.1 to 127.0.0.3."""
import os
import pathlib
import shutil
import struct

from .cql import ALL, ONE, Cql
from .java import JavaNode

# Of the machine's memory for all nodes together, and MiB of heap for a node, at least and at most. Below 1 GiB a single
# node under full load runs out of it and ends.
MEMORY_SHARE = 8
HEAP_MIN_MIB, HEAP_MAX_MIB = {1: 512, 3: 256}, 2048
TOKENS = 2**64
# Of Cassandra's own keyspace with three replicas: read at ALL, it answers only if the node sees every other one live.
READ_FROM_ALL = ("SELECT keyspace_name FROM system_distributed.view_build_status "
                 "WHERE keyspace_name = '-' AND view_name = '-'")


def memory_mib():
    return os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') >> 20


def heap_mib(memory, nodes):
    return max(HEAP_MIN_MIB[nodes], min(HEAP_MAX_MIB, memory // MEMORY_SHARE // nodes))


class Cassandra(JavaNode):
    def listens(self):
        return [(self.address, self.port), (self.address, self.record['storage_port']),
                ('127.0.0.1', self.record['jmx_port'])]

    def prepare(self):
        nodes = self.plan.of('cassandra')
        self.write_configuration(
            'cassandra.yaml', cluster_name='orderly', address=self.address, port=self.port, directory=self.directory,
            storage_port=self.record['storage_port'], token=self._token(len(nodes)),
            # Every node is a seed, so that each of them may be the first to start.
            seeds=','.join(f"{node['address']}:{node['storage_port']}" for node in nodes))
        os.makedirs(os.path.join(self.directory, 'triggers'), exist_ok=True)

    def _token(self, count):
        """Evenly over -2^63 to 2^63 - 1, the first at 0."""
        token = (self.index - 1) * TOKENS // count
        return token if token < TOKENS // 2 else token - TOKENS

    def module_options(self):
        return [f"@{self.home_file('jvm.options')}"]

    def _logging(self):
        return f"-Dlogback.configurationFile={pathlib.Path(self.home_file('logback.xml')).as_uri()}"

    def command(self):
        heap = heap_mib(memory_mib(), len(self.plan.of('cassandra')))
        # The second compiler would take half of a start's time; under load it pays.
        compiler = [] if self.plan.for_load else ['-XX:TieredStopAtLevel=1']
        return [*_with_a_mount(self.directory), *_without_memory_lock(), *self.server(
            f'-Xms{heap}m', f'-Xmx{heap}m', '-Xss256k', '-XX:+UseG1GC', '-XX:MaxGCPauseMillis=300',
            '-XX:+ParallelRefProcEnabled', *compiler,
            f"-javaagent:{self.jars.one('jamm-')}", f'-Djna.tmpdir={self.temporary_directory()}',
            f"-Dcassandra.config={pathlib.Path(self.directory, 'cassandra.yaml').as_uri()}",
            f'-Dcassandra.storagedir={self.directory}', f'-Dcassandra.logdir={self.directory}',
            f"-Dcassandra.triggers_dir={os.path.join(self.directory, 'triggers')}", self._logging(),
            '-Dcassandra-foreground=yes', f"-Dcassandra.jmx.local.port={self.record['jmx_port']}",
            # Nobody to wait for: the ring's shape is fixed. A delay of 0 for the roles would spin on retries.
            '-Dcassandra.skip_wait_for_gossip_to_settle=0', '-Dcassandra.ring_delay_ms=1000',
            '-Dcassandra.superuser_setup_delay_ms=500', '-Dcassandra.shutdown_announce_in_ms=500',
            'org.apache.cassandra.service.CassandraDaemon')]

    def nodetool(self, *arguments):
        return self.tool('-Dorderly.log.level=WARN', self._logging(), f'-Dcassandra.storagedir={self.directory}',
                         f'-Duser.home={self.directory}', 'org.apache.cassandra.tools.NodeTool',
                         '-h', '127.0.0.1', '-p', str(self.record['jmx_port']), *arguments)

    def seen(self):
        nodes = self.plan.of('cassandra')
        try:
            with self.connect() as connection:
                cql = Cql(connection)
                cql.options()
                if len(nodes) > 1 and _ring_is_whole(cql, len(nodes)):
                    return {node['index'] for node in nodes}
        except (OSError, struct.error):
            return None
        return {self.index}


def _ring_is_whole(cql, count):
    """Whether this node sees the others live, and they have its schema."""
    try:
        cql.startup()
        own = cql.query('SELECT schema_version FROM system.local', ONE)
        others = cql.query('SELECT schema_version FROM system.peers_v2', ONE)
        cql.query(READ_FROM_ALL, ALL)
    except OSError:
        return False
    return len(others) == count - 1 and all(row == own[0] for row in others)


def _with_a_mount(directory):
    """Cassandra asks for free space, and Java finds a file system by its mount point, which the root of a plain chroot is
    not: then the process gets the same tree as a mount, in a mount namespace of its own."""
    unshare = shutil.which('unshare')
    with open('/proc/self/mounts', encoding='utf-8', errors='replace') as mounts:
        is_mount = any(line.split(' ')[1] == '/' for line in mounts)
    if os.geteuid() != 0 or not unshare or is_mount:
        return []
    root = os.path.join(directory, 'root')
    os.makedirs(root, exist_ok=True)
    # Inside a private file system, so that the tree never shows outside, where a wipe would find it.
    return [unshare, '--mount', '--propagation', 'unchanged', 'sh', '-c',
            'mount -t tmpfs none "$0" && mount --make-private "$0" && mkdir "$0/tree" && mount --rbind / "$0/tree" && '
            'mount --make-rslave "$0/tree" && exec chroot "$0/tree" "$@"', root]


def _without_memory_lock():
    """As root, Cassandra would lock its whole heap in memory; without the capability it warns and goes on."""
    setpriv = shutil.which('setpriv')
    if os.geteuid() != 0 or not setpriv:
        return []
    return [setpriv, '--bounding-set=-ipc_lock', '--inh-caps=-ipc_lock']
