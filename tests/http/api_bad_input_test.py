"""Bad input: each gets the right status with every bad field named, and the server goes on."""
import socket
import unittest

from http_case import JSON, LAMP, HttpCase, body_of, http_post, status_of, wait_for

ORDER = '{"customer_name":"Ada","item":"lamp","quantity":2}'


class BadInput(HttpCase):
    settings = {'receive_timeout': '1s'}

    def tearDown(self):
        self.assertEqual(self.get('/health/live')[0], 200)

    def post_text(self, text, path='/orders'):
        return self.post(path, text if isinstance(text, bytes) else text.encode(), JSON)

    def test_not_json(self):
        for text in ('{', 'nonsense', '{"customer_name":"Ada",}', "{'a':1}", '{"a":1} x', '[1,2', '"\n"', '{"a":01}', '{"a":+1}', '{"a":NaN}',
                     '{"a":.5}', '\ufeff{}', '{"a":1e400}', '{"a":-1e400}', '{"a":tru}', '//x', ' ', '{"a":"\t"}', '{"a":"\\x"}'):
            with self.subTest(text):
                problem = self.assert_problem(self.post_text(text), 400, 'invalid_json')
                self.assertEqual(sorted(problem['position']), ['column', 'line', 'offset'])
        problem = self.assert_problem(self.post_text('{\n "customer_name": "Ada",\n "item": lamp\n}'), 400, 'invalid_json')
        self.assertEqual((problem['position']['line'], problem['position']['column']), (3, 10))
        self.assertIn('line 3, column 10', problem['detail'])

    def test_text_that_is_not_text(self):
        for text in (b'{"customer_name":"\xff"}', b'{"customer_name":"\xc0\x80"}', b'{"customer_name":"\xed\xa0\x80"}', b'{"\xff":1}',
                     b'{"customer_name":"\\ud800"}', b'{"customer_name":"\\udc00\\ud800"}', b'{"customer_name":"a\\u0000b"}', b'{"a":"\x00"}',
                     b'\xff\xfe{\x00}\x00'):
            with self.subTest(text):
                self.assert_problem(self.post_text(text), 400, 'invalid_json')

    def test_duplicate_keys(self):
        for text in ('{"customer_name":"Ada","item":"lamp","quantity":2,"quantity":3}', '{"a":1,"\\u0061":2}'):
            with self.subTest(text):
                self.assertIn('uplicate', self.assert_problem(self.post_text(text), 400, 'invalid_json')['detail'])

    def test_nesting(self):
        for text in ('[' * 100 + ']' * 100, '{"a":' * 100 + '1' + '}' * 100, '[' * 100000):
            with self.subTest(text[:10]):
                self.assert_problem(self.post_text(text), 400, 'invalid_json')

    def test_other_shapes(self):
        for text in ('[]', '"order"', '1', 'null', 'true', f'[{ORDER}]'):
            with self.subTest(text):
                self.assert_problem(self.post_text(text), 422, 'invalid_order', [''])

    def test_each_field(self):
        line = {'item': 'a', 'quantity': 1}
        for change, pointers in (
            ({'quantity': '2'}, ['/quantity']), ({'quantity': 0}, ['/quantity']), ({'quantity': -1}, ['/quantity']),
            ({'quantity': 1.5}, ['/quantity']), ({'quantity': 2**63}, ['/quantity']), ({'quantity': 1000001}, ['/quantity']),
            ({'quantity': None}, ['/quantity']), ({'quantity': True}, ['/quantity']), ({'quantity': [2]}, ['/quantity']),
            ({'unit_price': -1}, ['/unit_price']), ({'unit_price': 2**53}, ['/unit_price']), ({'unit_price': '1'}, ['/unit_price']),
            ({'unit_price': 0.5}, ['/unit_price']),
            ({'unit_price': 2**53 - 1}, ['']),  # twice that is too much
            ({'customer_name': ''}, ['/customer_name']), ({'customer_name': 'x' * 201}, ['/customer_name']),
            ({'customer_name': 'ü' * 201}, ['/customer_name']), ({'customer_name': 5}, ['/customer_name']),
            ({'customer_name': ' \t '}, ['/customer_name']), ({'customer_name': None}, ['/customer_name']),
            ({'item': ''}, ['/item']), ({'item': 'x' * 201}, ['/item']), ({'item': {}}, ['/item']),
            ({'order_id': 'x'}, ['/order_id']), ({'order_id': 1}, ['/order_id']), ({'order_id': '0' * 36}, ['/order_id']),
            ({'currency': 'euro'}, ['/currency']), ({'currency': 'eur'}, ['/currency']), ({'currency': 'XYZ'}, ['/currency']),
            ({'currency': 978}, ['/currency']),
            ({'metadata': []}, ['/metadata']), ({'metadata': {'a': 1}}, ['/metadata/a']), ({'metadata': {'a': 'x' * 501}}, ['/metadata/a']),
            ({'metadata': {'a/b~': None}}, ['/metadata/a~1b~0']), ({'metadata': {str(i): '' for i in range(17)}}, ['/metadata']),
            ({'status': 'paid'}, ['/status']), ({'total': 5}, ['/total']), ({'colour': 'red', 'size': 1}, ['/colour', '/size']),
            ({'items': [line]}, ['/item', '/items', '/quantity']),
        ):
            with self.subTest(str(change)[:60]):
                self.assert_problem(self.post('/orders', {**LAMP, **change}), 422, 'invalid_order', pointers)
        for items, pointers in (
            ([], ['/items']), ([line] * 101, ['/items']), ({}, ['/items']), ([1], ['/items/0']), ([line, {}], ['/items/1/item', '/items/1/quantity']),
            ([{**line, 'colour': 1}], ['/items/0/colour']), ([line, line, {**line, 'quantity': 0}], ['/items/2/quantity']),
            ([{**line, 'unit_price': 2**53 - 1}, {**line, 'unit_price': 1}], ['/items']),
            ([{'item': 'a', 'quantity': 1000000, 'unit_price': 2**53 - 1}] * 100, ['/items']),
        ):
            with self.subTest(str(items)[:60]):
                self.assert_problem(self.post('/orders', {'customer_name': 'Ada', 'items': items}), 422, 'invalid_order', pointers)

    def test_every_bad_field_is_named_at_once(self):
        bad = {'customer_name': 1, 'item': '', 'quantity': '2', 'unit_price': -1, 'currency': '€', 'metadata': 3, 'foo': None, 'order_id': 'x'}
        problem = self.assert_problem(self.post('/orders', bad), 422, 'invalid_order', ['/' + name for name in bad])
        self.assertEqual(problem['error_count'], len(bad))
        problem = self.post('/orders', {f'field {i}': i for i in range(100)})[2]
        self.assertEqual((len(problem['errors']), problem['error_count']), (32, 102))

    def test_both_dialects_check_the_same(self):
        self.assert_problem(self.post('/api/orders', {'customer_name': 'Ada'}), 422, 'invalid_order', ['/items'])
        self.assert_problem(self.post_text('{', '/api/orders'), 400, 'invalid_json')

    def test_content_type(self):
        for content_type in ('text/plain', 'application/x-www-form-urlencoded', 'application/xml', 'application/json; charset=latin1', 'json'):
            with self.subTest(content_type):
                answer = self.post('/orders', ORDER.encode(), {'Content-Type': content_type})
                self.assert_problem(answer, 415, 'unsupported_media_type')
        self.assertEqual(status_of(self.raw(b'POST /orders HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s' %
                                            (len(ORDER), ORDER.encode()))), 415)
        for content_type in ('application/json; charset=utf-8', 'Application/JSON', 'application/vnd.order+json'):
            with self.subTest(content_type):
                self.assertEqual(self.post('/orders', ORDER.encode(), {'Content-Type': content_type})[0], 201)
        self.assertEqual(self.post('/api/orders', b'x', {'Content-Type': 'text/plain'})[0], 415)

    def test_malformed_ids(self):
        for text in ('1', 'abc', '0190a0b0-c0d0-7000-8000-00000000000', '0190a0b0-c0d0-7000-8000-0000000000000', '0190a0b0c0d070008000000000000000',
                     '0190a0b0-c0d0-7000-8000-00000000000g', '%7B0190a0b0-c0d0-7000-8000-000000000000%7D', '%20', 'ü'.encode().hex()):
            for base in ('/orders/', '/api/orders/'):
                with self.subTest(base + text):
                    self.assert_problem(self.get(base + text), 422, 'invalid_order_id', ['/order_id'])

    def test_ten_megabytes_by_content_length_are_refused_at_once(self):
        """413 comes although not one byte of the body is sent."""
        answer = self.raw(b'POST /orders HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 10485760\r\n\r\n')
        self.assertEqual((status_of(answer), body_of(answer)['code']), (413, 'body_too_large'))

    def test_ten_megabytes_in_chunks_are_cut_off_at_the_limit(self):
        head = b'POST /orders HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n'
        chunk = b'10000\r\n' + b' ' * 65536 + b'\r\n'
        answer = self.raw(head, *[chunk] * 160, b'0\r\n\r\n')
        if answer:  # the answer may be lost in the reset that ends the flood
            self.assertEqual((status_of(answer), body_of(answer)['code']), (413, 'body_too_large'))

    def test_a_chunked_body_within_the_limit(self):
        answer = self.raw(b'POST /orders HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n'
                          b'Transfer-Encoding: chunked\r\n\r\n', b'%x\r\n%s\r\n0\r\n\r\n' % (len(ORDER), ORDER.encode()))
        self.assertEqual(status_of(answer), 201)

    def test_foreign_host_and_origin(self):
        for host in ('evil.example', 'localhost.evil.example', '127.0.0.1.evil.example', '10.0.0.1'):
            with self.subTest(host):
                self.assert_problem(self.get('/orders', {'Host': host}), 403, 'foreign_host')
        for origin in ('http://evil.example', 'null', 'https://localhost:3000', 'http://localhost:3000.evil.example', 'http://localhost:3001'):
            with self.subTest(origin):
                for path in ('/orders', '/api/orders'):
                    self.assert_problem(self.post(path, LAMP, {'Origin': origin}), 403, 'foreign_origin')
        own = f'http://localhost:{self.server.port}'
        self.assertEqual(self.post('/orders', LAMP, {'Host': own[7:], 'Origin': own})[0], 201)
        self.assertEqual(self.post('/orders', LAMP, {'Origin': 'http://localhost:3000'})[0], 201)

    def test_methods_and_paths(self):
        for path in ('/order', '/orders/x/y', '/', '/api', '/api/orders/a/b', '//orders', '/orders//', '/docs/../orders', '/docs/nothing.js'):
            with self.subTest(path):
                self.assert_problem(self.get(path), 404, 'not_found')
        for method, path, allowed in (('PUT', '/orders', 'GET, HEAD, OPTIONS, POST'), ('DELETE', '/orders/', 'GET, HEAD, OPTIONS, POST'),
                                      ('GET', '/api/orders', 'OPTIONS, POST'), ('POST', '/metrics', 'GET, HEAD, OPTIONS'), ('BREW', '/docs', 'GET, HEAD, OPTIONS')):
            with self.subTest(method + path):
                answer = self.server.request(method, path)
                self.assert_problem(answer, 405, 'method_not_allowed')
                self.assertEqual(sorted(answer[1]['Allow'].split(', ')), allowed.split(', '))

    def test_broken_http(self):
        for text in (b'GET /orders HTTP/1.1\r\n\r\n', b'nonsense\r\n\r\n', b'GET /orders HTTP/9.9\r\nHost: localhost\r\n\r\n',
                     b'GET /%zz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n',
                     b'POST /orders HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
                     b'POST /orders HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n'):
            with self.subTest(text):
                self.assertIn(status_of(self.raw(text)), (400, 505, None))

    def test_slow_senders_are_cut_off(self):
        whole = http_post('/orders', ORDER.encode())
        for sent in (b'', b'POST /ord', whole[:60], whole[:-1]):
            with self.subTest(sent):
                self.assertIn(status_of(self.raw(sent, timeout=10)), (None, 408))  # closed within the receive timeout, not ours


class ManyConnections(HttpCase):
    settings = {'connections_max': 50, 'idle_timeout': '2s'}

    def test_idle_connections_are_counted_and_end(self):
        address = ('127.0.0.1', self.server.port)
        idle = [socket.create_connection(address, timeout=20) for _ in range(50)]
        try:
            request = b'GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n'
            for connection in idle:  # all of them are taken, and serve
                connection.sendall(request)
                self.assertIn(b' 200 ', connection.recv(4096))
            answer = self.raw(request)
            self.assertEqual((status_of(answer), body_of(answer)['code']), (503, 'too_many_connections'))
            for connection in idle:  # the bound on idleness ends them
                while connection.recv(4096):
                    pass
            wait_for('a free place', lambda: self.get('/health/live')[0] == 200)
        finally:
            for connection in idle:
                connection.close()


if __name__ == '__main__':
    unittest.main()
