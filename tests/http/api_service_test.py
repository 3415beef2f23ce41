"""Documentation, health, metrics, CORS, request ids."""
import html.parser
import json
import re
import unittest

from http_case import LAMP, HttpCase, wait_for


class PageReader(html.parser.HTMLParser):
    """What a page loads, and whether it runs scripts of its own."""

    def __init__(self):
        super().__init__()
        self.loads, self.inline, self.in_script = [], [], False

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.in_script = tag == 'script'
        if tag in ('script', 'link', 'img', 'iframe') and (attributes.get('src') or attributes.get('href')):
            self.loads.append(attributes.get('src') or attributes.get('href'))
        self.inline += [name for name in attributes if name.startswith('on')]

    def handle_data(self, data):
        if self.in_script and data.strip():
            self.inline.append(data)


class Service(HttpCase):
    def test_the_docs_page_loads_nothing_from_elsewhere(self):
        status, headers, page = self.get('/docs')
        self.assertEqual((status, headers['Content-Type']), (200, 'text/html; charset=utf-8'))
        policy = headers['Content-Security-Policy']
        self.assertIn("default-src 'none'", policy)
        self.assertIn("script-src 'self';", policy)
        self.assertNotIn('http', policy)
        reader = PageReader()
        reader.feed(page)
        self.assertEqual(reader.inline, [])
        self.assertTrue(reader.loads)
        for path in reader.loads:
            if path.startswith('data:'):
                continue
            self.assertTrue(path.startswith('/docs/'), path)
            status, headers, text = self.get(path)
            self.assertEqual(status, 200, path)
            self.assertTrue(headers['Content-Type'].startswith(('text/css', 'text/javascript')), path)
            self.assertEqual(headers['X-Content-Type-Options'], 'nosniff')
            self.assertEqual(re.findall(r'@import|url\((?!["\']?data:)[^)]*', text) if path.endswith('.css') else [], [])
            if path.endswith('init.js'):
                self.assertNotIn('//', text.split('\n', 1)[1])
                self.assertIn('"/openapi.json"', text)
            self.assertEqual(self.get(path, {'If-None-Match': headers['ETag']})[0], 304)
        self.assertEqual(self.get('/docs/')[2], page)

    def test_swagger_ui_is_there(self):
        self.assertIn('id="swagger-ui"', self.get('/docs')[2])

    def test_openapi_json(self):
        status, headers, description = self.get('/openapi.json')
        self.assertEqual((status, headers['Content-Type']), (200, 'application/json'))
        self.assertEqual(description['openapi'][:3], '3.1')
        self.assertEqual([server['url'] for server in description['servers']], ['/'])
        self.assertEqual(description['info']['version'], self.get('/health/live')[2]['version'])

    def test_live(self):
        status, _, live = self.get('/health/live')
        self.assertEqual((status, live['status']), (200, 'live'))
        self.assertRegex(live['version'], r'^\d+\.\d+\.\d+$')
        self.assertGreaterEqual(live['uptime_ms'], 0)

    def test_ready(self):
        status, _, ready = self.get('/health/ready')
        self.assertEqual((status, ready['status']), (200, 'ready'), ready)
        self.assertEqual([part['part'] for part in ready['parts']], ['log', 'room', 'store', 'cache', 'feed', 'pipeline'])
        self.assertEqual({part['status'] for part in ready['parts']}, {'ok'})

    def test_metrics_parse(self):
        _, order = self.create()
        wait_for('the feed', lambda: 'orderly_api_pending 0\n' in self.get('/metrics')[2])
        for _ in range(3):
            self.get(f'/orders/{order["order_id"]}')
        status, headers, text = self.get('/metrics')
        self.assertEqual((status, headers['Content-Type']), (200, 'text/plain; version=0.0.4; charset=utf-8'))
        sample = re.compile(r'^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\.)*"(?:,[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\.)*")*\})? '
                            r'(-?[0-9.]+(?:e[+-]?[0-9]+)?|[+-]Inf|NaN)$')
        values, types, seen = {}, {}, set()
        self.assertTrue(text.endswith('\n'))
        for line in text.splitlines():
            if line.startswith('# TYPE '):
                _, _, name, kind = line.split(' ')
                self.assertNotIn(name, types, 'one group for each name')
                types[name] = kind
            elif not line.startswith('#'):
                match = sample.match(line)
                self.assertTrue(match, line)
                self.assertNotIn((match[1], match[2]), seen, line)
                seen.add((match[1], match[2]))
                values[match[1] + (match[2] or '')] = float(match[3])
        for name in ('orderly_api_append_seconds', 'orderly_api_cache_requests_total', 'orderly_api_pending', 'orderly_pipeline_lag'):
            self.assertIn(name, types)
        self.assertEqual(types['orderly_api_append_seconds'], 'histogram')
        self.assertGreaterEqual(values['orderly_api_append_seconds_count'], 1)
        self.assertGreaterEqual(values['orderly_api_cache_requests_total{cache="own",result="hit"}'], 1)
        self.assertEqual(values['orderly_api_pending'], 0)

    def test_cors(self):
        page = {'Origin': 'http://localhost:3000'}
        status, headers, _ = self.get('/orders', page)
        self.assertEqual((status, headers['Access-Control-Allow-Origin']), (200, 'http://localhost:3000'))
        exposed = {name.strip() for name in headers['Access-Control-Expose-Headers'].split(',')}
        self.assertLessEqual({'Link', 'ETag', 'Location', 'X-Request-ID'}, exposed)
        self.assertIn('Origin', headers['Vary'])
        self.assertEqual(self.post('/orders', {}, page)[1]['Access-Control-Allow-Origin'], 'http://localhost:3000')
        status, headers, _ = self.server.request('OPTIONS', '/orders', None, {
            **page, 'Access-Control-Request-Method': 'POST', 'Access-Control-Request-Headers': 'content-type'})
        self.assertEqual((status, headers['Access-Control-Allow-Origin']), (204, 'http://localhost:3000'))
        self.assertIn('POST', headers['Access-Control-Allow-Methods'])
        self.assertIn('content-type', headers['Access-Control-Allow-Headers'].lower())
        status, headers, _ = self.get('/orders', {'Origin': 'http://evil.example'})
        self.assertEqual(status, 200)
        self.assertIsNone(headers['Access-Control-Allow-Origin'])

    def test_request_ids(self):
        for path in ('/orders', '/nothing', '/health/live', '/metrics', '/docs'):
            self.assertEqual(self.get(path, {'X-Request-ID': 'mine-1.2_3'})[1]['X-Request-ID'], 'mine-1.2_3', path)
        first, second = (self.get('/orders')[1]['X-Request-ID'] for _ in range(2))
        self.assertTrue(first and second and first != second)
        for bad in ('a b', 'x' * 129, 'ä'.encode().decode('latin1'), '<script>'):
            self.assertNotEqual(self.get('/orders', {'X-Request-ID': bad})[1]['X-Request-ID'], bad)

    def test_answers_are_not_guessed_at(self):
        for answer in (self.get('/orders'), self.post('/orders', LAMP), self.get('/orders/x'), self.get('/metrics')):
            self.assertEqual(answer[1]['X-Content-Type-Options'], 'nosniff')
            self.assertNotIn('Server', answer[1])

    def test_openapi_examples_are_orders_of_ours(self):
        description = self.get('/openapi.json')[2]
        create = description['paths']['/orders']['post']['requestBody']['content']['application/json']['examples']
        for name, example in create.items():
            _, order = self.create(example['value'])
            self.assertEqual(order['customer_name'], example['value']['customer_name'], name)
        shown = description['components']['examples']['Order']['value']
        _, order = self.create()
        changing = {'order_id', 'created_at', 'updated_at'}
        self.assertEqual(list(shown), list(order))
        self.assertEqual(json.dumps({k: v for k, v in shown.items() if k not in changing}),
                         json.dumps({k: v for k, v in order.items() if k not in changing}))


if __name__ == '__main__':
    unittest.main()
