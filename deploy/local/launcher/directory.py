"""Directories as locks, and files that are whole or not there."""
import contextlib
import fcntl
import os

from .report import Failure


@contextlib.contextmanager
def lock(path, shared=False):
    """Holds the directory itself as a lock: nothing to leave behind, and it ends with its process.

    A directory that was deleted and made again while we waited is a new lock: take that one.
    """
    while True:
        try:
            handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError as error:
            raise Failure(f'{path} was deleted meanwhile') from error
        try:
            fcntl.flock(handle, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
            if _is_still(handle, path):
                yield
                return
        finally:
            os.close(handle)


def _is_still(handle, path):
    try:
        return os.path.samestat(os.fstat(handle), os.stat(path))
    except FileNotFoundError:
        return False


def write_whole(path, text):
    """Replaces the file in one step: a reader sees the old text or the new one."""
    partial = f'{path}.{os.getpid()}.partial'
    with open(partial, 'w', encoding='utf-8') as file:
        file.write(text)
    os.replace(partial, path)
