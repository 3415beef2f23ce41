"""A full disk: new orders get 503 and nothing is half written, what was promised is processed, and room heals it.

RLIMIT_FSIZE makes the data file hit a wall without any mount; ORDERLY_DATA_LIMIT is the same wall by setting."""
import json
import os
import resource
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
from orderly import DataDirectory, Process, export, wait_for  # noqa: E402

MIB = 1 << 20
ORDER = {'customer_name': 'Ada', 'items': [{'item': 'x' * 200, 'quantity': 1} for _ in range(100)]}  # some 25 KB each


SMALL = {'customer_name': 'Ada', 'item': 'lamp', 'quantity': 1}


def fill(server):
    """Posts large orders, then small ones, until not even these fit; returns the ids that were acknowledged."""
    return post_until_full(server, ORDER) + post_until_full(server, SMALL)


def post_until_full(server, order):
    acknowledged, connection = [], server.connection()
    body = json.dumps(order)
    for _ in range(20000):
        connection.request('POST', '/orders', body, {'Content-Type': 'application/json'})
        answer = connection.getresponse()
        problem = json.loads(answer.read())
        if answer.status == 503 and problem['code'] == 'storage_full':
            assert answer.headers.get('Retry-After'), 'a 503 says when to try again'
            return acknowledged
        assert answer.status == 201, (answer.status, problem)
        acknowledged.append(problem['order_id'])
    raise AssertionError('the disk never filled')


def one(directory, preexec, settings):
    """Fills the disk; kills; processes all of it from the reserve; makes room."""
    data = directory.path
    with Process(data, 'serve', preexec=preexec, **settings) as server:
        acknowledged = fill(server)
        assert server.post('/orders', ORDER)[0] == 503
        assert server.get('/health/live')[0] == 200
        status, _, body = server.get('/health/ready')
        assert status == 503, body
        server.kill()
    with Process(data, 'serve', preexec=preexec, **settings) as server:
        server.wait_until_processed()  # from the reserve
        listed = {order['order_id'] for order in server.orders()}
        assert listed == set(acknowledged), (len(listed), len(acknowledged))
        assert server.post('/orders', ORDER)[0] == 503
        assert server.stop() == 0
    dump = export(data)
    with Process(data, 'serve') as server:  # room again
        wait_for('new orders', lambda: server.post('/orders', ORDER)[0] == 201)
        assert server.stop() == 0
    assert set(dump) <= set(export(data)), 'orders from before changed'
    return len(acknowledged)


def main():
    with DataDirectory() as directory:
        wall = 224 * MIB
        count = one(directory, lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (wall, resource.RLIM_INFINITY)),
                    {'data_reserve': '64MiB'})
        print(f'RLIMIT_FSIZE: {count} orders, then 503; processed from the reserve; healed')
    with DataDirectory() as directory:
        count = one(directory, None, {'data_limit': '224MiB', 'data_reserve': '64MiB'})
        print(f'ORDERLY_DATA_LIMIT: {count} orders, then 503; processed from the reserve; healed')


main()
