"""Ports: whether one is taken, and free ones that no other cluster of this user will want either."""
import contextlib
import errno
import json
import os
import random
import socket

from .directory import lock
from .jars import cache_directory

LOWEST = 10000
TRIES = 1000


def taken(address, port):
    """Whether a service could not listen there now (sockets that only linger do not matter)."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
            return False
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return True
            raise


def _highest():
    """Below the ports that outgoing connections get: a port must still be free when its service comes back."""
    try:
        with open('/proc/sys/net/ipv4/ip_local_port_range', encoding='ascii') as file:
            return max(int(file.read().split()[0]), LOWEST + TRIES)
    except OSError:
        return 32768


class Chooser:
    """Picks ports that are free on every address and that neither this cluster nor a known one uses."""

    def __init__(self, addresses, used):
        self.addresses = addresses
        self.used = set(used)

    def pick(self):
        for _ in range(TRIES):
            port = random.randrange(LOWEST, _highest())
            if port not in self.used and not any(taken(address, port) for address in self.addresses):
                self.used.add(port)
                return port
        raise RuntimeError(f'no free port in {TRIES} tries')


@contextlib.contextmanager
def known_clusters():
    """Holds the user's list of clusters: yields (the ports they use, a function that adds one to the list).

    Ports are chosen some time before their services listen. The list keeps two clusters that start at once, or one that
    is down just now, from being given the same.
    """
    directory = cache_directory('clusters')
    with lock(directory):
        path = os.path.join(directory, 'list.json')
        clusters = [name for name in _load(path, []) if os.path.exists(os.path.join(name, 'cluster.json'))]
        used = set()
        for name in clusters:
            used.update(_load(os.path.join(name, 'cluster.json'), {}).get('all_ports', []))

        def add(name):
            with open(path, 'w', encoding='utf-8') as file:
                json.dump(sorted({*clusters, name}), file, indent=1)

        yield used, add


def _load(path, otherwise):
    try:
        with open(path, encoding='utf-8') as file:
            return json.load(file)
    except (OSError, ValueError):
        return otherwise
