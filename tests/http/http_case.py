"""What the HTTP tests share: one server for each class, and a client that sends exactly the bytes it is told to."""
import json
import os
import re
import socket
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
from support.orderly import SLOW, DataDirectory, Process, wait_for  # noqa: E402, F401

JSON = {'Content-Type': 'application/json'}
LAMP = {'customer_name': 'Ada', 'item': 'lamp', 'quantity': 2}


class HttpCase(unittest.TestCase):
    settings = {}

    @classmethod
    def setUpClass(cls):
        cls.data = cls.enterClassContext(DataDirectory())
        cls.server = cls.enterClassContext(Process(cls.data.path, **cls.settings))

    @classmethod
    def tearDownClass(cls):
        assert cls.server.stop() == 0, cls.server.log()

    def get(self, path, headers=None):
        return self.server.get(path, headers)

    def post(self, path, body, headers=None):
        return self.server.post(path, body, headers)

    def create(self, order=None, path='/orders/'):
        status, headers, body = self.post(path, LAMP if order is None else order)
        self.assertEqual(status, 201, body)
        return headers, body

    def raw(self, *parts, timeout=20):
        """Sends bytes on a connection of its own, and returns what comes back until it is closed."""
        with socket.create_connection(('127.0.0.1', self.server.port), timeout=timeout * SLOW) as connection:
            answer = b''
            try:
                for part in parts:
                    connection.sendall(part)
            except (BrokenPipeError, ConnectionResetError):
                pass  # the server answered and closed while we were still sending
            try:
                while True:
                    piece = connection.recv(65536)
                    if not piece:
                        return answer
                    answer += piece
            except ConnectionResetError:
                return answer

    def assert_problem(self, answer, status, code, pointers=None):
        """A problem as RFC 9457 has it; pointers: every bad field that errors must name, and no other."""
        self.assertEqual((answer[0], answer[2].get('code') if isinstance(answer[2], dict) else answer[2]), (status, code), answer[2])
        self.assertEqual(answer[1]['Content-Type'], 'application/problem+json')
        problem = answer[2]
        self.assertEqual(problem['type'], f'urn:orderly:problem:{code}')
        self.assertEqual(problem['status'], status)
        self.assertEqual(problem['request_id'], answer[1]['X-Request-ID'])
        self.assertTrue(problem['title'] and problem['detail'])
        if pointers is not None:
            self.assertEqual(sorted(error['pointer'] for error in problem['errors']), sorted(pointers), problem)
            self.assertTrue(all(error['detail'] for error in problem['errors']))
        return problem

    def assert_version_7(self, text):
        self.assertRegex(text, re.compile('^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$'))


def http_post(path, body, *headers):
    """The bytes of a POST with a Content-Length."""
    lines = [f'POST {path} HTTP/1.1', 'Host: localhost', 'Content-Type: application/json', f'Content-Length: {len(body)}', *headers]
    return '\r\n'.join(lines).encode() + b'\r\n\r\n' + body


def status_of(answer):
    return int(answer.split(b' ', 2)[1]) if answer.startswith(b'HTTP/1.1 ') else None


def body_of(answer):
    return json.loads(answer.split(b'\r\n\r\n', 1)[1])
