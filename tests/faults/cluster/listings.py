"""What the API shows once all is processed: every order by its id, and every listing complete, each order once."""
import json
import urllib.parse
import urllib.request

import orderly_path  # noqa: F401
import checks
from orderly import wait_for

SETTLE_S = 15   # an API that was just started still follows the feed


def get(api, path, fresh=True):
    headers = {'Cache-Control': 'no-cache'} if fresh else {}
    request = urllib.request.Request(f'http://127.0.0.1:{api.port}{path}', headers=headers)
    with urllib.request.urlopen(request, timeout=20) as answer:
        return answer.headers, json.load(answer)


def walk(api, **filters):
    """All pages of a list; a page may be short and still have a next one."""
    path, found = '/orders?' + urllib.parse.urlencode({'limit': 200, **filters}), []
    while path:
        headers, page = get(api, path)
        found += page
        link = headers.get('Link')
        path = link[link.index('<') + 1:link.index('>')] if link else None
    return found


def listing_problem(found, expected):
    """found: orders of a list; expected: id -> order. The first difference in words, or None."""
    ids = [order['order_id'] for order in found]
    twice = len(ids) - len(set(ids))
    missing, foreign = expected.keys() - set(ids), set(ids) - expected.keys()
    if twice or missing or foreign:
        return f'{twice} orders twice, {len(missing)} missing {sorted(missing)[:3]}, {len(foreign)} foreign {sorted(foreign)[:3]}'
    keys = [(order['created_at'], order['order_id']) for order in found]
    if keys != sorted(keys, reverse=True):
        return 'not newest first'
    other = [order['order_id'] for order in found if checks.shown(order) != checks.shown(expected[order['order_id']])]
    return f'other content of {other[:3]}' if other else None


def filters_of(orders):
    """The list without filters, by each status and by each customer."""
    yield {}
    for field in ('status', 'customer_name'):
        for value in sorted({order[field] for order in orders.values()}):
            yield {field: value}


def require_listings(api, orders):
    """orders: id -> order as the store's export has it."""
    for filters in filters_of(orders):
        expected = {order_id: order for order_id, order in orders.items()
                    if all(order[field] == value for field, value in filters.items())}
        problems = ['']

        def is_right():
            problems[0] = listing_problem(walk(api, **filters), expected)
            return not problems[0]
        try:
            wait_for(f'the list {filters} to be right', is_right, SETTLE_S)
        except AssertionError as error:
            raise AssertionError(f'{error}: {problems[0]}') from None


def require_orders(apis, orders, ids, fresh):
    """Each id by GET in both dialects, from one API or the other, past the caches or through them."""
    for number, order_id in enumerate(ids):
        api = apis[number % len(apis)]
        order = get(api, '/orders/' + order_id, fresh)[1]
        way = 'past its caches' if fresh else 'through its caches'
        assert checks.shown(order) == checks.shown(orders[order_id]), f'{api.name} {way} shows {order} instead of {orders[order_id]}'
        short = get(api, '/api/orders/' + order_id, fresh)[1]
        assert short == {'order_id': order_id, 'status': order['status']}, f'{api.name} shows {short} of {order}'
