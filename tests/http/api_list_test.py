"""The list: filters, pages, cursors, while orders come in."""
import json
import threading
import unittest
import urllib.parse

from http_case import LAMP, HttpCase


def next_path(headers):
    link = headers.get('Link')
    if link is None:
        return None
    assert link.endswith('>; rel="next"') and link.startswith('<'), link
    return link[1:link.index('>')]


class List(HttpCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        connection = cls.server.connection()
        cls.made = []
        for i in range(500):
            body = json.dumps({'customer_name': f'Customer {i % 5} & "co" ü', 'item': 'lamp', 'quantity': 1 + i})
            connection.request('POST', '/orders', body, {'Content-Type': 'application/json'})
            answer = connection.getresponse()
            cls.made.append(json.loads(answer.read()))
            assert answer.status == 201, cls.made[-1]
        connection.close()

    def pages(self, **parameters):
        path, pages = '/orders?' + urllib.parse.urlencode(parameters), []
        while path:
            status, headers, page = self.get(path)
            self.assertEqual(status, 200, page)
            pages.append(page)
            path = next_path(headers)
            self.assertLess(len(pages), 2000)
        return pages

    def ids(self, **parameters):
        return [order['order_id'] for page in self.pages(**parameters) for order in page]

    def newest_first(self, orders):
        return [order['order_id'] for order in sorted(orders, key=lambda o: (o['created_at'], o['order_id']), reverse=True)]

    def test_1_pages_while_orders_come_in(self):
        """Every order that was there is seen once, in order, whatever comes meanwhile and whatever the page size."""
        stop = threading.Event()
        failures = []

        def insert():
            while not stop.is_set():
                status = self.post('/orders', {**LAMP, 'customer_name': 'Eve'})[0]
                if status != 201:
                    failures.append(status)
        writers = [threading.Thread(target=insert) for _ in range(2)]
        for writer in writers:
            writer.start()
        try:
            known = self.newest_first(self.made)
            for limit in (7, 50, 200):
                seen = self.ids(limit=limit)
                self.assertEqual(len(seen), len(set(seen)), 'an order came twice')
                self.assertEqual([order_id for order_id in seen if order_id in set(known)], known)
        finally:
            stop.set()
            for writer in writers:
                writer.join()
        self.assertEqual(failures, [])

    def test_pages_are_full_and_end(self):
        self.server.wait_until_processed()
        pages = self.pages(limit=100, customer_name='Customer 1 & "co" ü')
        self.assertEqual([len(page) for page in pages if page], [100])
        pages = self.pages(limit=30, customer_name='Customer 1 & "co" ü')
        self.assertEqual([len(page) for page in pages if page], [30, 30, 30, 10])
        self.assertEqual(len(self.get('/orders')[2]), 50)

    def test_filters(self):
        wanted = [order for order in self.made if order['customer_name'] == 'Customer 3 & "co" ü']
        self.assertEqual(self.ids(customer_name='Customer 3 & "co" ü', limit=13), self.newest_first(wanted))
        self.assertEqual(self.ids(customer_name='Customer 3'), [])
        self.assertEqual(self.ids(customer_name='Customer 3 & "co" ü', status='paid'), [])
        self.assertEqual(self.ids(customer_name='Customer 3 & "co" ü', status='created', limit=50), self.newest_first(wanted))
        low, high = self.made[100]['created_at'], self.made[300]['created_at']
        wanted = [order for order in self.made if low < order['created_at'] < high]
        self.assertEqual(self.ids(created_after=low, created_before=high, limit=60), self.newest_first(wanted))
        other_zone = low.replace('Z', '+00:00')
        self.assertEqual(self.ids(created_after=other_zone, created_before=high, limit=60), self.newest_first(wanted))
        self.assertEqual(self.ids(created_before='1970-01-01T00:00:00Z'), [])
        self.assertEqual(self.ids(created_after='1960-01-01T00:00:00Z', customer_name='Customer 3 & "co" ü', limit=200),
                         self.newest_first([order for order in self.made if order['customer_name'].startswith('Customer 3')]))

    def test_the_link_keeps_the_filters(self):
        _, headers, _ = self.get('/orders?limit=3&status=created&customer_name=' + urllib.parse.quote('Customer 2 & "co" ü') +
                                 '&created_after=2020-01-01T00:00:00Z&created_before=2100-01-01T00:00:00Z')
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(next_path(headers)).query)
        self.assertRegex(query.pop('cursor')[0], '^[A-Za-z0-9_-]{80,255}$')
        self.assertEqual(query, {'limit': ['3'], 'status': ['created'], 'customer_name': ['Customer 2 & "co" ü'],
                                 'created_after': ['2020-01-01T00:00:00.000Z'], 'created_before': ['2100-01-01T00:00:00.000Z']})

    def test_bad_parameters_are_named(self):
        for query, pointers in (
            ('limit=0', ['/limit']), ('limit=201', ['/limit']), ('limit=-1', ['/limit']), ('limit=1.0', ['/limit']), ('limit=', ['/limit']),
            ('limit=%2050', ['/limit']), ('limit=99999999999999999999', ['/limit']),
            ('status=new', ['/status']), ('status=', ['/status']), ('status=Created', ['/status']),
            ('created_after=yesterday', ['/created_after']), ('created_before=2026-02-30T00:00:00Z', ['/created_before']),
            ('created_after=2026-01-01', ['/created_after']),
            ('customer_name=' + 'x' * 201, ['/customer_name']),
            ('limit=1&limit=2', ['/limit']), ('offset=3', ['/offset']), ('a%2Fb~=1', ['/a~1b~0']),
            ('limit=0&status=x&foo=1&created_after=z', ['/limit', '/status', '/foo', '/created_after']),
        ):
            with self.subTest(query):
                self.assert_problem(self.get('/orders?' + query), 422, 'invalid_query', pointers)

    def test_cursors_are_checked(self):
        _, headers, _ = self.get('/orders?limit=2&status=created')
        path = next_path(headers)
        cursor = urllib.parse.parse_qs(urllib.parse.urlsplit(path).query)['cursor'][0]
        self.assertEqual(self.get(path)[0], 200)
        self.assertEqual(self.get(path.replace('limit=2', 'limit=3'))[0], 200)
        foreign = self.assert_problem(self.get(f'/orders?limit=2&cursor={cursor}'), 422, 'invalid_query', ['/cursor'])
        self.assertIn('other filters', foreign['errors'][0]['detail'])
        flipped = cursor[:20] + ('A' if cursor[20] != 'A' else 'B') + cursor[21:]
        for bad in ('', 'x', '%FF', '%00', 'AQ==', cursor[:-1], cursor + 'A', flipped, 'A' * 4000, '../../etc'):
            with self.subTest(bad):
                answer = self.get(f'/orders?limit=2&status=created&cursor={bad}')
                if bad in ('%FF', '%00'):  # not UTF-8, a NUL: not a request target
                    self.assert_problem(answer, 400, 'invalid_target')
                else:
                    self.assert_problem(answer, 422, 'invalid_query', ['/cursor'])


if __name__ == '__main__':
    unittest.main()
