"""Redis: the system's own server, as a cache that keeps nothing."""
import os

from .node import Node
from .programs import find


class Redis(Node):
    def check_programs(self):
        find('redis-server', 'redis-server')

    def prepare(self):
        self.write_configuration('redis.conf', address=self.address, port=self.port, directory=f'"{self.directory}"')

    def command(self):
        return [find('redis-server', 'redis-server'), os.path.join(self.directory, 'redis.conf')]

    def seen(self):
        try:
            with self.connect() as connection:
                connection.sendall(b'PING\r\n')
                return {self.index} if connection.recv(64).startswith(b'+PONG') else None
        except OSError:
            return None
