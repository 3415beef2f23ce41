"""The cluster as a whole: starting its nodes side by side, waiting for them, and ending them."""
import concurrent.futures
import os
import shutil
import time

from .cassandra import Cassandra
from .directory import lock
from .kafka import Kafka
from .plan import FILE
from .redis import Redis
from .report import EXIT_NOT_UP, Failure, say

KINDS = {'kafka': Kafka, 'cassandra': Cassandra, 'redis': Redis}
READY_LIMIT_S = 240  # three nodes of each on two busy cores take a minute
ANSWER_LIMIT_S = 15  # longer than a broker that was frozen needs to be let in again
POLL_S = 0.1


def each(function, nodes):
    """Calls it for all nodes at once; the first failure is raised when all are done."""
    with concurrent.futures.ThreadPoolExecutor(max_workers=max(len(nodes), 1)) as pool:
        for done in [pool.submit(function, node) for node in nodes]:
            done.result()


def has_mounts(directory):
    with open('/proc/self/mounts', encoding='utf-8', errors='replace') as mounts:
        points = [line.split(' ')[1].replace('\\040', ' ') for line in mounts]
    return any(os.path.commonpath([point, directory]) == directory for point in points)


class Cluster:
    def __init__(self, plan):
        self.plan = plan
        self.nodes = [KINDS[record['service']](plan, record) for record in plan.nodes]

    def node(self, name):
        for node in self.nodes:
            if node.name == name:
                return node
        raise Failure(f'no node {name} here; there are: {", ".join(node.name for node in self.nodes)}')

    def of(self, service):
        return [node for node in self.nodes if node.service == service]

    def start(self, nodes):
        """Starts what does not run of these, and waits until they answer."""
        for node in nodes:
            node.check_programs()
        began = time.monotonic()

        def start_one(node):
            node.fetch()
            if node.start():
                say(f'{node.name} starts on {node.address}:{node.port}')

        each(start_one, nodes)
        self._wait(nodes, began)

    def _wait(self, named, began):
        """Until each named node answers; where all nodes of its service run, until all of them see each other."""
        pending = {service: [node for node in named if node.service == service] for service in KINDS}
        end = time.monotonic() + READY_LIMIT_S
        while True:
            for service, nodes in list(pending.items()):
                if not nodes or self._settled(service, nodes, began):
                    del pending[service]
            if not pending:
                return
            if time.monotonic() > end:
                late = next(node for nodes in pending.values() for node in nodes)
                raise late.failure(f'gave no full answer in {READY_LIMIT_S} s')
            time.sleep(POLL_S)

    def _settled(self, service, named, began):
        everyone = self.of(service)
        running = []
        for node in everyone:
            if node.process.pid() and not node.process.frozen():
                running.append(node)
            elif node in named and not node.process.pid():
                raise node.failure('ended before it answered')
        if len(running) < everyone[0].quorum(len(everyone)):
            say(f'{", ".join(node.name for node in named)}: will answer when a majority runs')
            return True
        whole = len(running) == len(everyone)
        for node in running if whole else named:
            wanted = {each_node.index for each_node in everyone} if whole else {node.index}
            if not wanted <= (node.seen() or set()):
                return False
        say(f'{", ".join(node.name for node in named)}: ready after {time.monotonic() - began:.1f} s')
        return True

    def archive_classes(self):
        """After the first start from new jars."""
        nodes = [node for node in self.nodes if node.index == 1 and node.needs_archive()]
        if nodes:
            say(f'archiving the classes of {" and ".join(node.name for node in nodes)}, once: later starts are quicker')
            each(lambda node: node.make_archive(), nodes)

    def stop(self, nodes):
        def stop_one(node):
            if not node.process.stop():
                say(f'{node.name} did not end in time and was killed')

        each(stop_one, nodes)

    def require_up(self):
        """Each service has a node that answers. One that runs is waited for: a thawed broker is fenced for a while."""
        end = time.monotonic() + ANSWER_LIMIT_S
        for service in self.plan.services():
            while not any(node.process.pid() and node.seen() for node in self.of(service)):
                runs = any(node.process.pid() and not node.process.frozen() for node in self.of(service))
                if not runs or time.monotonic() > end:
                    raise Failure(f'{service} does not answer; `cluster up` starts what does not run', EXIT_NOT_UP)
                time.sleep(POLL_S)

    def wipe(self):
        """Ends everything at once and deletes what is ours: the nodes' directories and the plan, nothing else."""
        directory = self.plan.directory
        with lock(directory):
            each(lambda node: node.process.kill(), self.nodes)
            for node in self.nodes:
                if has_mounts(node.directory):  # never delete through one
                    raise Failure(f'something is mounted below {node.directory}: unmount it first')
                shutil.rmtree(node.directory, ignore_errors=True)
            os.remove(os.path.join(directory, FILE))
            try:
                os.rmdir(directory)
            except OSError:
                say(f'{directory} holds other files too, and stays')
