"""As much of Cassandra's protocol as it takes to ask a node how it is."""
import socket
import struct

from .node import receive

VERSION = 4
ERROR, STARTUP, READY, OPTIONS, SUPPORTED, QUERY, RESULT = 0, 1, 2, 5, 6, 7, 8
ONE, ALL = 1, 5
ROWS = 2
SKIP_METADATA = 2
FRAME_MAX_BYTES = 1 << 20


class CqlError(OSError):
    pass


class Cql:
    """One connection; every method raises OSError if the node does not answer as it should."""

    def __init__(self, connection: socket.socket):
        self.connection = connection

    def _request(self, opcode, body, expected):
        self.connection.sendall(struct.pack('>BBhBi', VERSION, 0, 0, opcode, len(body)) + body)
        _, _, _, answer, size = struct.unpack('>BBhBi', receive(self.connection, 9))
        if not 0 <= size <= FRAME_MAX_BYTES:
            raise CqlError(f'a frame of {size} bytes')
        content = receive(self.connection, size)
        if answer != expected:
            raise CqlError(f'opcode {answer}: {content[:200]!r}')
        return content

    def options(self):
        self._request(OPTIONS, b'', SUPPORTED)

    def startup(self):
        self._request(STARTUP, struct.pack('>h', 1) + _string('CQL_VERSION') + _string('3.0.0'), READY)

    def query(self, text, consistency):
        """The rows, if there are any, each a list of values as bytes or None."""
        text = text.encode()
        body = struct.pack('>i', len(text)) + text + struct.pack('>HB', consistency, SKIP_METADATA)
        content = self._request(QUERY, body, RESULT)
        if struct.unpack_from('>i', content)[0] != ROWS:
            return []
        columns, count = struct.unpack_from('>ii', content, 8)
        at, rows = 16, []
        for _ in range(count):
            row = []
            for _ in range(columns):
                size = struct.unpack_from('>i', content, at)[0]
                at += 4
                row.append(content[at:at + size] if size >= 0 else None)
                at += max(size, 0)
            rows.append(row)
        return rows


def _string(text):
    data = text.encode()
    return struct.pack('>h', len(data)) + data
