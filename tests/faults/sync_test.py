"""No 201 leaves before its commit is durable: the two syncs of a commit are held one after the other, and failed."""
import os
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
from orderly import DataDirectory, Process, wait_for  # noqa: E402

ORDER = {'customer_name': 'Ada', 'item': 'lamp', 'quantity': 2}


class Shim:
    """The files by which the preloaded library is told what to hold."""

    def __init__(self, root):
        self.path = os.path.join(root, 'shim')
        os.mkdir(self.path)
        self.environment = {'LD_PRELOAD': os.environ['SYNC_SHIM'], 'SYNC_SHIM_DIR': self.path}

    def set(self, name):
        open(os.path.join(self.path, name), 'w').close()

    def clear(self, name):
        os.unlink(os.path.join(self.path, name))

    def is_set(self, name):
        return os.path.exists(os.path.join(self.path, name))


class Post(threading.Thread):
    def __init__(self, server):
        super().__init__()
        self.server, self.answer = server, None
        self.start()

    def run(self):
        try:
            self.answer = self.server.post('/orders', ORDER)
        except OSError as error:
            self.answer = (0, None, error)


def held(shim, server, hold, sign):
    """Posts while `hold` is on and proves that no answer comes until it is off."""
    shim.set(hold)
    post = Post(server)
    wait_for(f'a commit held at {hold}', lambda: shim.is_set(sign))
    post.join(0.5)
    assert post.answer is None, f'answered {post.answer[0]} while {hold} was on: not durable yet'
    shim.clear(hold)
    post.join(20)
    assert post.answer and post.answer[0] == 201, post.answer
    return post.answer[2]['order_id']


def main():
    if os.environ.get('ORDERLY_SANITIZED'):
        print('skipped: a preloaded library and a sanitizer do not go together')
        return
    with DataDirectory() as directory:
        shim = Shim(directory.root)
        server = Process(directory.path, 'api', environment=shim.environment)
        first = held(shim, server, 'hold-data', 'data-held')
        second = held(shim, server, 'hold-meta', 'meta-held')

        shim.set('fail-data')
        post = Post(server)
        code = server.process.wait(20)
        post.join(20)
        assert code == 74, f'a failing sync must end the process with 74, not {code}'
        assert post.answer[0] != 201, 'a 201 although the sync failed'
        assert 'failed to sync' in server.log(), server.log()
        shim.clear('fail-data')

        with Process(directory.path) as again:
            for order_id in (first, second):
                wait_for('the orders from before', lambda i=order_id: again.get('/orders/' + i)[0] == 200)
    print('no 201 before both syncs; a failing sync ends the process without one')


main()
