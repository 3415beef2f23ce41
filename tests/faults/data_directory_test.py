"""A data directory that is not ours, newer, or damaged: a clear refusal to start, and nothing in it changed."""
import hashlib
import os
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
from orderly import DataDirectory, Process, run  # noqa: E402


def fingerprint(path):
    found = {}
    for root, _, names in os.walk(path):
        for name in names:
            if name == 'lock.mdb':
                continue  # readers' slots: no data
            with open(os.path.join(root, name), 'rb') as file:
                found[os.path.relpath(os.path.join(root, name), path)] = hashlib.sha256(file.read()).hexdigest()
    return found


def refused(path, words):
    before = fingerprint(path)
    process = Process(path, wait=False)
    code = process.process.wait(30)
    log = process.log()
    assert code == 1, f'{words}: exit code {code}\n{log}'
    assert any(word in log for word in words), f'expected one of {words} in:\n{log}'
    assert fingerprint(path) == before, f'{words}: the directory was changed'
    code, out, _ = run(path, 'check')
    assert code == 1 and 'FAILED' in out and 'remedy' in out, out
    assert fingerprint(path) == before


def main():
    with DataDirectory() as directory:
        with Process(directory.path) as server:
            for _ in range(50):
                assert server.post('/orders', {'customer_name': 'Ada', 'item': 'lamp', 'quantity': 1})[0] == 201
            assert server.stop() == 0
        good = os.path.join(directory.root, 'good')
        shutil.copytree(directory.path, good)

        def fresh():
            shutil.rmtree(directory.path)
            shutil.copytree(good, directory.path)
            return os.path.join(directory.path, 'data.mdb')

        with open(fresh(), 'r+b') as file:
            file.truncate(3 * 4096)
        refused(directory.path, ['cut off'])

        with open(fresh(), 'wb') as file:
            file.write(b'SQLite format 3\0' + b'\0' * 8176)
        refused(directory.path, ['not made by Orderly'])

        with open(fresh(), 'wb') as file:
            file.write(b'')
        refused(directory.path, ['empty or gone'])
        os.unlink(os.path.join(directory.path, 'data.mdb'))
        refused(directory.path, ['empty or gone'])

        fresh()
        code, out, _ = run(directory.path, 'check')
        assert code == 0 and 'ok' in out, out
        code, _, error = run(directory.path, 'serve', partitions=13)
        assert code == 1 and '12' in error and '13' in error, error
    print('foreign, truncated, empty and differently partitioned directories are refused and left as they were')


main()
