"""Orders through both dialects: made, read at once and later, found in the list, made twice."""
import subprocess
import threading
import unittest
import uuid

from http_case import LAMP, HttpCase, Process, DataDirectory, wait_for

FIELDS = ['order_id', 'customer_name', 'item', 'quantity', 'items', 'currency', 'total', 'status', 'version', 'next_statuses',
          'created_at', 'updated_at', 'metadata']


class Orders(HttpCase):
    def curl(self, *arguments):
        return subprocess.run(['curl', '-sS', *arguments], capture_output=True, text=True, check=True, timeout=30).stdout

    def test_the_readme_session(self):
        here = f'localhost:{self.server.port}'
        made = self.curl('-X', 'POST', f'{here}/orders/', '-H', 'content-type: application/json',
                         '-d', '{"customer_name":"Ada","item":"lamp","quantity":2}')
        self.assertIn('"status":"created"', made)
        order_id = made.split('"order_id":"')[1][:36]
        self.assertEqual(self.curl(f'{here}/orders/{order_id}'), made)
        self.assertIn(made, self.curl(f'{here}/orders/'))
        short = self.curl('-X', 'POST', f'{here}/api/orders')
        self.assertRegex(short, r'^\{"order_id":"[0-9a-f-]{36}","message":"Order created successfully"\}$')
        order_id = short.split('"')[3]
        self.assertEqual(self.curl(f'{here}/api/orders/{order_id}'), f'{{"order_id":"{order_id}","status":"created"}}')

    def test_short_form(self):
        headers, order = self.create()
        self.assertEqual(list(order), FIELDS)
        self.assert_version_7(order['order_id'])
        self.assertEqual(headers['Location'], f'/orders/{order["order_id"]}')
        self.assertEqual(headers['ETag'], '"1"')
        self.assertEqual(order['items'], [{'item': 'lamp', 'quantity': 2, 'unit_price': 0}])
        self.assertEqual((order['customer_name'], order['item'], order['quantity'], order['total']), ('Ada', 'lamp', 2, 0))
        self.assertEqual((order['currency'], order['status'], order['version'], order['metadata']), ('EUR', 'created', 1, {}))
        self.assertEqual(order['next_statuses'], ['confirmed', 'cancelled', 'failed'])
        self.assertEqual(order['created_at'], order['updated_at'])

    def test_rich_form(self):
        items = [{'item': 'desk', 'quantity': 1, 'unit_price': 24900}, {'item': 'lämp ☃', 'quantity': 3, 'unit_price': 3950}]
        _, order = self.create({'customer_name': 'Grace "G"', 'items': items, 'currency': 'USD', 'metadata': {'b': '2', 'a': '1\n'}})
        self.assertEqual(order['items'], items)
        self.assertEqual((order['item'], order['quantity'], order['total'], order['currency']), ('desk', 1, 24900 + 3 * 3950, 'USD'))
        self.assertEqual(order['metadata'], {'a': '1\n', 'b': '2'})

    def test_limits_are_inclusive(self):
        for order in (
            {'customer_name': 'x' * 200, 'item': 'ü' * 200, 'quantity': 1000000},
            {'customer_name': 'x', 'item': 'y', 'quantity': 1, 'unit_price': 2**53 - 1},
            {'customer_name': 'x', 'item': 'y', 'quantity': 2.0},
            {'customer_name': 'x', 'items': [{'item': 'y', 'quantity': 1}] * 100},
            {'customer_name': 'x', 'item': 'y', 'quantity': 1, 'metadata': {str(i) * 16: 'v' * 500 for i in range(10, 26)}},
        ):
            self.create(order)

    def test_read_at_once_and_later(self):
        _, order = self.create()
        path = f'/orders/{order["order_id"]}'
        self.assertEqual(self.get(path)[2], order)
        fresh = {'Cache-Control': 'no-cache'}  # from the store, or, until it has it, from the orders that wait for it
        self.assertEqual(self.get(path, fresh)[2], order)
        self.server.wait_until_processed()
        for headers in ({}, fresh, {}):
            status, answer, later = self.get(path, headers)
            self.assertEqual((status, later, answer['ETag']), (200, order, '"1"'))
        self.assertEqual(self.get(path + '/')[2], order)
        self.assertEqual(self.get(path.upper().replace('/ORDERS', '/orders'))[2], order)

    def test_list_at_once(self):
        for i in range(20):
            _, order = self.create({**LAMP, 'customer_name': f'At once {i}'})
            self.assertIn(order, self.get('/orders/?limit=20')[2])
            self.assertEqual(self.get(f'/orders/?customer_name=At%20once%20{i}&status=created')[2], [order])

    def test_second_dialect(self):
        headers, made = self.create({}, '/api/orders')
        self.assertEqual(made['message'], 'Order created successfully')
        self.assertEqual(list(made), ['order_id', 'message'])
        self.assertEqual(headers['Location'], f'/api/orders/{made["order_id"]}')
        status, headers, shown = self.get(headers['Location'])
        self.assertEqual((status, shown, headers['ETag']), (200, {'order_id': made['order_id'], 'status': 'created'}, '"1"'))
        order = self.get(f'/orders/{made["order_id"]}')[2]
        self.assertEqual((order['customer_name'], order['items'], order['item'], order['quantity'], order['total']), ('', [], '', 0, 0))
        _, made = self.create(LAMP, '/api/orders/')
        self.server.wait_until_processed()
        self.assertEqual(self.get(f'/api/orders/{made["order_id"]}')[2]['status'], 'created')
        self.assertEqual(self.get(f'/orders/{made["order_id"]}')[2]['item'], 'lamp')

    def test_an_empty_body_is_an_order_only_in_the_second_dialect(self):
        self.assertEqual(self.post('/api/orders', None)[0], 201)
        self.assert_problem(self.post('/orders', b'', {'Content-Type': 'application/json'}), 400, 'invalid_json')
        self.assert_problem(self.post('/orders', {}), 422, 'invalid_order', ['/customer_name', '/items'])

    def test_an_id_of_the_clients_own(self):
        for version in (4, 7):
            order_id = str(uuid.uuid4()) if version == 4 else '0190a0b0-c0d0-7000-8000-' + uuid.uuid4().hex[:12]
            headers, order = self.create({**LAMP, 'order_id': order_id})
            self.assertEqual((order['order_id'], order['version'], headers['ETag']), (order_id, 1, '"1"'))
            self.assertEqual(headers['Location'], f'/orders/{order_id}')
            self.assertEqual(self.get(f'/orders/{order_id}')[2], order)
            for path, body in (('/orders', {**LAMP, 'order_id': order_id}), ('/api/orders', {**LAMP, 'quantity': 3, 'order_id': order_id})):
                problem = self.assert_problem(self.post(path, body), 409, 'order_exists')
                self.assertEqual(problem['version'], 1)
            self.assertEqual(self.get(f'/orders/{order_id}', {'Cache-Control': 'no-cache'})[2], order)

    def test_idempotency_key_is_refused(self):
        self.assert_problem(self.post('/orders', LAMP, {'Idempotency-Key': 'a'}), 400, 'idempotency_key_unsupported')

    def test_not_found(self):
        self.assert_problem(self.get(f'/orders/{uuid.uuid4()}'), 404, 'not_found')
        self.assert_problem(self.get('/orders/0190a0b0-c0d0-7000-8000-000000000000'), 404, 'not_found')
        _, order = self.create()
        young = order['order_id'][:-12] + '000000000000'
        answer = self.get(f'/api/orders/{young}')
        self.assert_problem(answer, 404, 'not_visible_yet')
        self.assertEqual(answer[1]['Retry-After'], '1')

    def test_if_none_match(self):
        _, order = self.create()
        self.server.wait_until_processed()
        for path in (f'/orders/{order["order_id"]}', f'/api/orders/{order["order_id"]}'):
            for tags in ('"1"', 'W/"1"', '"7", "1"', '*'):
                status, headers, body = self.get(path, {'If-None-Match': tags})
                self.assertEqual((status, headers['ETag'], body), (304, '"1"', ''), tags)
            for tags in ('"2"', '1', '"11"', '"1', ''):
                self.assertEqual(self.get(path, {'If-None-Match': tags})[0], 200, tags)

    def test_head(self):
        _, order = self.create()
        path = f'/orders/{order["order_id"]}'
        answer = self.raw(f'HEAD {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'.encode())
        head, _, body = answer.partition(b'\r\n\r\n')
        self.assertTrue(head.startswith(b'HTTP/1.1 200') and b'ETag: "1"' in head, head)
        self.assertEqual(body, b'')
        length = int(head.lower().split(b'content-length: ')[1].split(b'\r\n')[0])
        connection = self.server.connection()
        connection.request('GET', path)
        self.assertEqual(len(connection.getresponse().read()), length)
        connection.close()


class WithoutConsumer(unittest.TestCase):
    """`orderly api` alone: nobody processes, so what is shown is what was acknowledged."""

    def test_acknowledged_orders_are_shown_and_the_others_accepted(self):
        with DataDirectory() as data, Process(data.path, 'api', verdict_timeout='300ms', pending_max=30) as api:
            made = [api.post('/orders', LAMP)[2] for _ in range(30)]
            made.sort(key=lambda order: (order['created_at'], order['order_id']), reverse=True)
            ids = [order['order_id'] for order in made]
            for order_id in ids:
                self.assertEqual(api.get(f'/orders/{order_id}')[2]['status'], 'created')
                self.assertEqual(api.get(f'/api/orders/{order_id}', {'Cache-Control': 'no-cache'})[2]['status'], 'created')
            self.assertEqual([order['order_id'] for order in api.orders(limit=7)], ids)
            self.assertEqual([order['order_id'] for order in api.orders(limit=7, customer_name='Ada')], ids)
            self.assertEqual(list(api.orders(customer_name='Eve')), [])
            self.assertEqual(list(api.orders(status='paid')), [])
            status, headers, problem = api.post('/orders', LAMP)
            self.assertEqual((status, problem['code'], headers['Retry-After']), (503, 'too_many_pending', '1'))
            own = str(uuid.uuid4())
            status, headers, answer = api.post('/orders', {**LAMP, 'order_id': own})
            self.assertEqual((status, answer['order_id'], headers['Location']), (202, own, f'/orders/{own}'))
            with Process(data.path, 'consumer'):
                wait_for('all to be reported', lambda: 'orderly_api_pending 0\n' in api.get('/metrics')[2])
                self.assertEqual(api.get(f'/orders/{own}')[0], 200)
                self.assertEqual([order['order_id'] for order in api.orders()][1:], ids)
                self.assertEqual(api.post('/orders', LAMP)[0], 201)
            self.assertEqual(api.stop(), 0)

    def test_a_wait_for_a_verdict_does_not_outlive_the_server(self):
        with DataDirectory() as data, Process(data.path, 'api', verdict_timeout='60s', drain_timeout='1s') as api:
            answers = []
            waiting = threading.Thread(target=lambda: answers.append(api.post('/orders', {**LAMP, 'order_id': str(uuid.uuid4())})))
            waiting.start()
            wait_for('the request to wait', lambda: 'orderly_feed_waiters 1\n' in api.get('/metrics')[2])
            self.assertEqual(api.stop(), 0)
            waiting.join(20)
            self.assertEqual([(answer[0], answer[2]['code']) for answer in answers], [(503, 'shutting_down')])


if __name__ == '__main__':
    unittest.main()
