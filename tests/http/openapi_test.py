"""openapi.yaml against the server: every route, field, limit, parameter, status and code of one is in the other.

The server's side is the program api_truth (ORDERLY_TRUTH), which prints the tables the server works from."""
import json
import os
import pathlib
import re
import subprocess
import unittest

import yaml

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
METHODS = ('get', 'post', 'put', 'patch', 'delete')


def load():
    with open(ROOT / 'src/api/openapi.yaml', encoding='utf-8') as file:
        return yaml.safe_load(file)


class OpenApi(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.description = load()
        cls.truth = json.loads(subprocess.run([os.environ['ORDERLY_TRUTH']], capture_output=True, check=True, timeout=30).stdout)
        cls.schemas = cls.description['components']['schemas']

    def resolve(self, schema):
        """A schema with what its $ref says filled in."""
        if '$ref' not in schema:
            return schema
        target = self.description
        for part in schema['$ref'].removeprefix('#/').split('/'):
            target = target[part]
        return {**self.resolve(target), **{key: value for key, value in schema.items() if key != '$ref'}}

    def operations(self):
        for path, item in self.description['paths'].items():
            for method in METHODS:
                if method in item:
                    yield method.upper(), path, item[method]

    def test_routes(self):
        described = {(method, path): operation for method, path, operation in self.operations()}
        served = {(route['method'], route['path']): route for route in self.truth['routes']}
        self.assertEqual(described.keys(), served.keys())
        for key, route in served.items():
            operation = described[key]
            self.assertEqual(operation['summary'], route['summary'])
            self.assertEqual('requestBody' in operation, route['has_body'], key)
            if route['has_body']:
                self.assertEqual(operation['requestBody']['required'], route['needs_body'], key)
            names = set(re.findall(r'\{(\w+)\}', key[1]))
            parameters = [self.resolve(parameter) for parameter in operation.get('parameters', [])]
            self.assertEqual({parameter['name'] for parameter in parameters if parameter['in'] == 'path'}, names)

    def find_field(self, root, pointer):
        """The schema of a field by the checks' pointer, and whether the schema around it requires it."""
        schema, required = self.schemas[root], True
        for part in pointer.strip('/').split('/'):
            schema = self.resolve(schema)
            if part == '0':
                schema = schema['items']
            elif part == '{key}':
                schema = schema['additionalProperties']
            else:
                required = part in schema.get('required', [])
                schema = schema['properties'].get(part)
                if schema is None:
                    return None, False
        return self.resolve(schema), required

    def test_fields_and_limits(self):
        bounds = {'integer': ('minimum', 'maximum'), 'string': ('minLength', 'maxLength'), 'array': ('minItems', 'maxItems'),
                  'object': ('minProperties', 'maxProperties'), 'key': ('minLength', 'maxLength')}
        exact = {'/currency', '/order_id'}
        for field in self.truth['fields']:
            pointer, found = field['pointer'], 0
            for root in ('OrderCreateItems', 'OrderCreateShort'):
                if field['type'] == 'key':
                    schema, required = self.resolve(self.resolve(self.schemas['Metadata'])['propertyNames']), False
                else:
                    schema, required = self.find_field(root, pointer)
                if schema is None:
                    continue
                found += 1
                with self.subTest(root + pointer):
                    self.assertEqual(schema['type'], 'string' if field['type'] == 'key' else field['type'])
                    self.assertEqual(required, field['required'])
                    low, high = bounds[field['type']]
                    if pointer not in exact or low in schema:
                        self.assertEqual((schema.get(low, 0), schema[high]), (field['minimum'], field['maximum']))
            self.assertTrue(found, f'{pointer} is not described')

    def fields_of(self, schema, prefix=''):
        schema = self.resolve(schema)
        for name, member in schema.get('properties', {}).items():
            yield prefix + '/' + name
            yield from self.fields_of(member, prefix + '/' + name)
        if 'items' in schema:
            yield from self.fields_of(schema['items'], prefix + '/0')
        if isinstance(schema.get('additionalProperties'), dict):
            yield prefix + '/{key}'

    def test_no_field_is_made_up(self):
        known = {field['pointer'] for field in self.truth['fields']}
        described = {field for root in ('OrderCreateItems', 'OrderCreateShort') for field in self.fields_of(self.schemas[root])}
        self.assertEqual(described, known)
        for name in ('OrderCreateItems', 'OrderCreateShort', 'Item'):
            self.assertIs(self.schemas[name]['additionalProperties'], False)

    def test_names(self):
        self.assertEqual(self.schemas['Status']['enum'], self.truth['statuses'])
        self.assertEqual(self.schemas['Currency']['enum'], self.truth['currencies'])

    def http_codes(self):
        """The codes that src/http answers with, from its source: they are written where they are used."""
        source = ''.join(path.read_text() for path in sorted((ROOT / 'src/http').glob('*.c')))
        return set(re.findall(r'request_refuse\(\w+, \d+, "(\w+)"', source)) | set(re.findall(r'\.code = "(\w+)"', source))

    def test_problem_codes(self):
        codes = {problem['code'] for problem in self.truth['problems']} | set(self.truth['reasons']) | self.http_codes()
        self.assertEqual(set(self.schemas['ProblemCode']['enum']), codes)
        self.assertIn('foreign_origin', self.http_codes())

    def test_every_status_of_a_problem_is_described(self):
        described = {int(status) for _, _, operation in self.operations() for status in operation['responses']}
        self.assertLessEqual({problem['status'] for problem in self.truth['problems']}, described)

    def test_list_parameters(self):
        operation = self.description['paths']['/orders']['get']
        query = [parameter for parameter in map(self.resolve, operation['parameters']) if parameter['in'] == 'query']
        self.assertEqual([parameter['name'] for parameter in query], self.truth['list_parameters'])
        by_name = {parameter['name']: self.resolve(parameter['schema']) for parameter in query}
        self.assertEqual((by_name['limit']['minimum'], by_name['limit']['maximum'], by_name['limit']['default']),
                         (1, self.truth['list_limit_max'], self.truth['list_limit_default']))
        self.assertEqual(by_name['cursor']['maxLength'], self.truth['cursor_length_max'])
        name = next(field for field in self.truth['fields'] if field['pointer'] == '/customer_name')
        self.assertEqual(by_name['customer_name']['maxLength'], name['maximum'])
        self.assertEqual(by_name['status']['enum'], self.truth['statuses'])
        page = operation['responses']['200']['content']['application/json']['schema']
        self.assertEqual(page['maxItems'], self.truth['list_limit_max'])

    def test_simulation_parameters(self):
        schema = self.schemas['SimulationParameters']
        self.assertIs(schema['additionalProperties'], False)
        self.assertEqual(list(schema['properties']), [parameter['name'] for parameter in self.truth['simulation']['parameters']])
        for parameter in self.truth['simulation']['parameters']:
            with self.subTest(parameter['name']):
                described = schema['properties'][parameter['name']]
                if parameter['choices']:
                    self.assertEqual(described, {'type': 'string', 'enum': parameter['choices']})
                else:
                    self.assertEqual(described, {'type': parameter['type'], 'minimum': parameter['minimum'],
                                                 'maximum': parameter['maximum']})
        runs = self.description['paths']['/simulation/runs']['get']
        self.assertEqual(runs['responses']['200']['content']['application/json']['schema']['maxItems'], self.truth['runs_max'])
        self.assertIn(f'last {self.truth["runs_max"]} runs', runs['description'])
        self.assertIn(f'Up to {self.truth["listeners_max"]}', self.description['paths']['/simulation/events']['get']['description'])

    def test_the_order_shown(self):
        order, schema = self.truth['order'], self.schemas['Order']
        self.assertEqual(list(schema['properties']), list(order))
        self.assertEqual(schema['required'], list(order))
        item = self.schemas['ShownItem']
        self.assertEqual(list(item['properties']), list(order['items'][0]))
        self.assertEqual(schema['properties']['version']['maximum'], self.truth['version_max'])
        self.assertEqual(self.schemas['Amount']['maximum'], self.truth['amount_max'])

    def test_numbers_in_the_text(self):
        responses = self.description['components']['responses']
        self.assertIn(f'{self.truth["errors_max"]} at most', responses['InvalidOrder']['description'])

    def test_every_answer_names_its_request(self):
        for _, path, operation in self.operations():
            for status, response in operation['responses'].items():
                self.assertIn('X-Request-ID', self.resolve(response)['headers'], f'{path} {status}')
            self.assertTrue(all(response.get('description') for response in map(self.resolve, operation['responses'].values())))

    def test_servers_are_relative(self):
        self.assertEqual([server['url'] for server in self.description['servers']], ['/'])


if __name__ == '__main__':
    unittest.main()
