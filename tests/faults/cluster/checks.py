"""What must hold after a round. Each check takes plain data and returns what it found wrong, as lines of text."""
import collections
import json

ANSWER_LIMIT_S = 20          # the program's own limits are 5 and 10 s; the rest is a busy machine
YOUNG_MS = 30000             # how long a new order may be `not_visible_yet`
CLOCK_SLACK_S = 1.5          # of the own cache (1 s) and of timing
NOT_STORED = {'log_unavailable', 'too_many_pending', 'too_many_waiting', 'storage_full', 'out_of_memory'}
FIELDS = ('order_id', 'customer_name', 'items', 'metadata', 'currency', 'total', 'status', 'version', 'created_at', 'updated_at')


def shown(order):
    return {field: order.get(field) for field in FIELDS}


def describe(request):
    return f'{request.kind} {request.api}{request.path} began {request.began:.3f} took {request.ended - request.began:.3f} s: ' \
           f'{request.status} {request.code or request.error} {request.order_id} {request.tag or ""}'


class Troubles:
    """Which process was away when."""

    def __init__(self, troubles):
        self.by_name = collections.defaultdict(list)
        for trouble in troubles:
            self.by_name[trouble.name].append(trouble)

    def was_killed(self, name, began, ended):
        return any(trouble.how == 'killed' and trouble.overlaps(began, ended) for trouble in self.by_name[name])

    def frozen_s(self, name, began, ended):
        return sum(max(0, min(trouble.ended, ended) - max(trouble.began, began))
                   for trouble in self.by_name[name] if trouble.how == 'frozen')


# --- answers ---

def check_answers(requests, troubles):
    """Every request ends within its limit with an answer that it may have."""
    troubles = Troubles(troubles)
    for request in requests:
        problem = answer_problem(request, troubles)
        if problem:
            yield f'{problem}: {describe(request)}'


def answer_problem(request, troubles):
    limit_s = ANSWER_LIMIT_S + troubles.frozen_s(request.api, request.began, request.ended)
    if request.ended - request.began > limit_s:
        return f'took longer than {limit_s:.1f} s'
    if request.status == 0:
        was_killed = troubles.was_killed(request.api, request.connected or request.began, request.ended)
        return None if was_killed else 'no answer from a process that was not killed'
    if request.status == 503:
        return None if request.retry_after.isdigit() and request.code else '503 without Retry-After or code'
    allowed = {'create': {201, 202, 409} if request.named else {201}, 'get': {200, 404}, 'list': {200}}[request.kind]
    return None if request.status in allowed else 'an answer that cannot be'


# --- reads ---

class Seen:
    """What readers could know: when an order was acknowledged by whom, and which version the store showed when."""

    def __init__(self, requests, settled):
        self.acknowledged = {}
        self.fresh = collections.defaultdict(list)   # order id -> [(when, version)], of reads past the caches
        for order_id, when, version in settled:
            self.fresh[order_id].append((when, version))
        for request in requests:
            if request.kind == 'create' and request.status == 201:
                self.acknowledged.setdefault(request.order_id, request)
            elif request.kind == 'get' and self.shows_the_store(request):
                self.fresh[request.order_id].append((request.ended, request.body['version']))

    def shows_the_store(self, request):
        """The process that acknowledged an order answers for it, in its first version, until the store knows it."""
        if request.status != 200 or not request.fresh or 'version' not in request.body:
            return False
        acknowledgement = self.acknowledged.get(request.order_id)
        return request.body['version'] > 1 or bool(acknowledgement) and acknowledgement.api != request.api

    def floor(self, order_id, before):
        """The highest version that the store had shown by then."""
        return max((version for when, version in self.fresh[order_id] if when < before), default=0)


def check_reads(requests, troubles, rows, cache_ttl_s, settled=()):
    """rows: order id -> rows of the model. settled: (order id, when, version), what the store was seen to hold."""
    seen, troubles = Seen(requests, settled), Troubles(troubles)
    for request in requests:
        if request.kind == 'get' and request.status in (200, 404):
            problem = found_problem(request, seen, rows, cache_ttl_s) if request.status == 200 else \
                missing_problem(request, seen, troubles)
        elif request.kind == 'list' and request.status == 200:
            problem = list_problem(request, seen, troubles, rows)
        else:
            continue
        if problem:
            yield f'{problem}: {describe(request)}'


def found_problem(request, seen, rows, cache_ttl_s):
    versions = rows.get(request.order_id, ())
    floor = seen.floor(request.order_id, request.began if request.fresh else request.began - cache_ttl_s - CLOCK_SLACK_S)
    if 'version' not in request.body:   # the second dialect: a status, of some version not below the floor
        statuses = {row.order['status'] for row in versions[max(0, floor - 1):]}
        return None if request.body['status'] in statuses else f'status {request.body["status"]}, but the store had shown version {floor}'
    version = request.body['version']
    if version < floor:
        return f'version {version} after the store had shown {floor}'
    if version > len(versions):
        return f'version {version} is in no log'
    if shown(request.body) != shown(versions[version - 1].order):
        return f'another content than version {version} has'
    return None


def missing_problem(request, seen, troubles):
    acknowledgement = seen.acknowledged.get(request.order_id)
    if seen.floor(request.order_id, request.began):
        return 'not found, but the store has had it'
    if not acknowledgement or acknowledgement.ended > request.began:
        return None
    if acknowledgement.named:
        return 'not found, but its verdict had come, and that comes after the store'
    is_same_process = acknowledgement.api == request.api and \
        not troubles.was_killed(request.api, acknowledgement.began, request.ended)
    if is_same_process:
        return 'not found by the process that had acknowledged it'
    age_ms = request.wall * 1000 - int(request.order_id.replace('-', '')[:12], 16)
    is_young = request.order_id[14] == '7' and age_ms < YOUNG_MS
    if is_young and request.code != 'not_visible_yet':
        return f'404 {request.code} for an acknowledged order of {age_ms:.0f} ms'
    return None


def list_problem(request, seen, troubles, rows):
    """Newest first, each once, each as its version was, and none left out that this process had acknowledged."""
    page = request.body
    keys = [(order['created_at'], order['order_id']) for order in page]
    if keys != sorted(keys, reverse=True) or len(set(keys)) != len(keys):
        return 'a page out of order or with an order twice'
    for order in page:
        versions = rows.get(order['order_id'], ())
        if order['version'] > len(versions) or shown(order) != shown(versions[order['version'] - 1].order):
            return f'{order["order_id"]} version {order["version"]} on the page is not as it was'
    ids = {order['order_id'] for order in page}
    for order_id, acknowledgement in seen.acknowledged.items():
        if acknowledgement.ended > request.began or order_id in ids or acknowledgement.api != request.api or not page:
            continue
        created_at = rows[order_id][0].order['created_at'] if order_id in rows else ''
        if created_at > page[-1]['created_at'] and not troubles.was_killed(request.api, acknowledgement.began, request.ended):
            return f'{order_id}, acknowledged by this process, is not on the first page'
    return None


# --- the log: what was acknowledged is in it, once; what was refused is not ---

def count_tags(records):
    counts = collections.Counter()
    for record in records:
        payload = record.json()['payload']
        tag = payload.get('metadata', {}).get('tag')
        if tag:
            counts[tag] += 1
    return counts


def expected_count(request):
    """(least, most) messages that a create may have left in the log."""
    if request.status in (201, 202, 409):
        return 1, 1
    if request.status == 503 and request.code in NOT_STORED or 400 <= request.status < 500:
        return 0, 0
    return 0, 1


def check_log(requests, records):
    counts = count_tags(records)
    for request in requests:
        if request.kind != 'create':
            continue
        least, most = expected_count(request)
        count = counts[request.tag]
        if not least <= count <= most:
            yield f'{count} messages in the log instead of {least} to {most}: {describe(request)}'
    twice = [request.order_id for request in requests if request.kind == 'create' and request.status == 201]
    for order_id, count in collections.Counter(twice).items():
        if count > 1:
            yield f'{order_id} was given by {count} answers 201'


def check_commands(commands, records):
    """The same for what was appended past the API."""
    places = collections.defaultdict(list)
    for record in records:
        places[record.json()['attempt_id']].append((record.partition, record.offset))
    for command in commands:
        found = places[command.attempt_id]
        if command.result == 'ok' and found != [(command.partition, command.offset)]:
            yield f'attempt {command.attempt_id} was acknowledged at {command.partition}/{command.offset} and is at {found}'
        elif command.result == 'unknown' and len(found) > 1 or command.result not in ('ok', 'unknown') and found:
            yield f'attempt {command.attempt_id} ended with {command.result or "no answer"} and is at {found}'


# --- the feed ---

def check_feed(events, model):
    """Every attempt has events, all saying what the rules say; equal ids have equal content; versions only go up."""
    contents, said, versions, seen = {}, {}, collections.defaultdict(int), set()
    for record in events:
        event, event_id = record.json(), record.headers.get('ce_id')
        if contents.setdefault(event_id, event) != event:
            yield f'two contents under ce_id {event_id}: {json.dumps(contents[event_id])[:300]} and {json.dumps(event)[:300]}'
        attempt = event['attempt_id']
        verdict = (event['verdict'], event['reason'], event['order']['version'] if event['order'] else 0)
        if said.setdefault(attempt, verdict) != verdict:
            yield f'the verdict on {attempt} changed from {said[attempt]} to {verdict}'
        if event['first'] and event_id not in seen:
            seen.add(event_id)
            order_id, version = event['order_id'], verdict[2]
            if event_id != f'{order_id}/{version}':
                yield f'ce_id {event_id} on version {version} of {order_id}'
            if version != versions[order_id] + 1:
                yield f'{order_id} went from version {versions[order_id]} to {version} on the feed'
            versions[order_id] = version
            rows = model.rows.get(order_id, ())
            if version > len(rows) or shown(event['order']) != shown(rows[version - 1].order):
                yield f'{event_id} on the feed is not what the log led to'
    for attempt, expected in model.verdicts.items():
        verdict = (expected.verdict, expected.reason, expected.version)
        if attempt not in said:
            yield f'no event for attempt {attempt} at {expected.partition}/{expected.offset}'
        elif said[attempt] != verdict:
            yield f'attempt {attempt}: {said[attempt]} on the feed, {verdict} by the rules'
    for attempt in said.keys() - model.verdicts.keys():
        yield f'an event for attempt {attempt}, which is not in the log'


def check_verdicts(requests, model, records):
    """What a client was told is what the feed says: for creates whose id the client had given."""
    attempts = {}
    for record in records:
        command = record.json()
        attempts[command['payload'].get('metadata', {}).get('tag')] = command['attempt_id']
    told = {201: 'created', 409: 'rejected'}
    for request in requests:
        if request.kind == 'create' and request.status in told and request.tag in attempts:
            verdict = model.verdicts[attempts[request.tag]].verdict
            if verdict != told[request.status]:
                yield f'answered {request.status}, but {verdict}: {describe(request)}'


# --- the store ---

def check_store(store, model):
    """Exactly what the log leads to: no order lost or doubled, no version missing, turned back or of other content."""
    expected = {order_id: rows for order_id, rows in model.rows.items() if rows}
    for order_id in expected.keys() - store.keys():
        yield f'{order_id} is lost: it is not in the store'
    for order_id in store.keys() - expected.keys():
        yield f'{order_id} is in the store and not in the log'
    for order_id in expected.keys() & store.keys():
        rows, history = expected[order_id], store[order_id]['history']
        if shown(store[order_id]['order']) != shown(rows[-1].order):
            yield f'{order_id}: the store shows {shown(store[order_id]["order"])} instead of {shown(rows[-1].order)}'
        if len(history) != len(rows):
            yield f'{order_id}: {len(history)} history rows instead of {len(rows)}'
            continue
        for row, found in zip(rows, history):
            identity = (row.position, row.command_id, row.attempt_id, row.fingerprint)
            if (found['position'], found['command_id'], found['attempt_id'], found['fingerprint']) != identity:
                yield f'{order_id} version {row.order["version"]} was written by {found["attempt_id"]} at {found["position"]}, ' \
                      f'not {identity}'
            elif shown(found['order']) != shown(row.order):
                yield f'{order_id} version {row.order["version"]} has another content'


def check_acknowledged(requests, store):
    """The promise itself, without any model: what was answered 201 is there with the content that was sent."""
    tags = collections.Counter(entry['history'][0]['order']['metadata'].get('tag') for entry in store.values())
    for request in requests:
        if request.kind != 'create' or request.status != 201:
            continue
        found = store.get(request.order_id)
        if not found:
            yield f'answered 201 and lost: {describe(request)}'
            continue
        first = found['history'][0]['order']
        if any(first[field] != request.sent[field] for field in ('customer_name', 'items', 'metadata')):
            yield f'answered 201 and other content: {describe(request)}: {first}'
        if tags[request.tag] != 1:
            yield f'sent once and {tags[request.tag]} times in the store: {describe(request)}'


def check_dead_letters(letters):
    for letter in letters:
        yield f'a dead letter of {letter.headers.get("ce_id")}: {letter.headers.get("ce_reason")} {letter.headers.get("ce_reasontext")}'
