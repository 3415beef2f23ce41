"""What the JVMs of Kafka, Cassandra and their tools have in common."""
import os
import socket

from .archive import ClassArchive
from .directory import write_whole
from .jars import Jars
from .node import HOME, Node
from .programs import find_java

# Without these a JVM leaves a file in /tmp that outlives SIGKILL, and limps on when its heap is full.
COMMON = ['-XX:+PerfDisableSharedMem', '-XX:+ExitOnOutOfMemoryError', '-Djava.awt.headless=true']
# For tools that run for a second.
TOOL = [*COMMON, '-Xmx256m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1']


class JavaNode(Node):
    def __init__(self, plan, record):
        super().__init__(plan, record)
        self.jars = Jars(self.service)
        self.class_list_path = os.path.join(self.directory, 'classes')

    def check_programs(self):
        find_java()

    def fetch(self):
        self.jars.fetch()

    def home_file(self, name):
        return os.path.join(HOME, self.service, name)

    def temporary_directory(self):
        """The JVM's own: what libraries unpack there goes with the cluster."""
        path = os.path.join(self.directory, 'tmp')
        os.makedirs(path, exist_ok=True)
        return path

    def _names(self):
        """Java asks for the machine's own name, and Cassandra ends if nobody knows it (a bare container): tell it."""
        path = os.path.join(self.directory, 'hosts')
        write_whole(path, f'127.0.0.1 localhost {socket.gethostname()}\n')
        return f'-Djdk.net.hosts.file={path}'

    def _archive(self):
        return ClassArchive(self.jars, find_java(), self.module_options())

    def module_options(self):
        return []

    def server(self, *arguments):
        """The command line of the service's JVM."""
        archive = self._archive()
        return [find_java(), *self.module_options(), *COMMON, *archive.flags(),
                *archive.list_flags(self.class_list_path),
                self._names(), f'-Djava.io.tmpdir={self.temporary_directory()}', '-cp', self.jars.class_path(),
                *arguments]

    def tool(self, *arguments, options=TOOL):
        """The command line of one of the service's tools."""
        return [find_java(), *self.module_options(), *options, *self._archive().flags(), self._names(),
                '-cp', self.jars.class_path(), *arguments]

    def needs_archive(self):
        return os.path.exists(self.class_list_path) and self._archive().is_missing()

    def make_archive(self):
        self._archive().make(self.class_list_path)
