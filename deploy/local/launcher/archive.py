"""Archives of loaded classes (CDS), by which a JVM starts in half the time: made once from the list of a first run."""
import fcntl
import hashlib
import os
import subprocess

LIMIT_S = 90


class ClassArchive:
    """One for each set of jars and each Java. All of it is best effort: a JVM that cannot use one starts without."""

    def __init__(self, jars, java, options=()):
        self.jars = jars
        self.java = java
        self.options = list(options)
        program = os.stat(os.path.realpath(java))
        key = hashlib.sha256(f'{java} {program.st_size} {program.st_mtime_ns}'.encode()).hexdigest()[:8]
        self.path = os.path.join(jars.directory, f'classes-{key}.jsa')
        self.given_up_path = self.path + '.failed'

    def is_missing(self):
        return not os.path.exists(self.path) and not os.path.exists(self.given_up_path)

    def flags(self):
        return [f'-XX:SharedArchiveFile={self.path}'] if os.path.exists(self.path) else []

    def list_flags(self, list_path):
        """For a run whose loaded classes the archive is to be made of, while there is none."""
        return [f'-XX:DumpLoadedClassList={list_path}'] if self.is_missing() else []

    def make(self, list_path):
        """Once: one that failed is not tried again, and whoever finds another one at it leaves it to them."""
        if not self.is_missing() or not os.path.exists(list_path):
            return
        handle = os.open(self.jars.directory, os.O_RDONLY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._make(list_path)
        except BlockingIOError:
            pass
        finally:
            os.close(handle)

    def _make(self, list_path):
        partial = f'{self.path}.{os.getpid()}.partial'
        complete_list = partial + '.list'
        try:
            with open(list_path, 'rb') as source, open(complete_list, 'wb') as target:
                target.write(source.read().rpartition(b'\n')[0] + b'\n')  # the JVM may be in the middle of a line
            subprocess.run([self.java, *self.options, '-Xshare:dump', '-XX:+PerfDisableSharedMem',
                            f'-XX:SharedClassListFile={complete_list}', f'-XX:SharedArchiveFile={partial}',
                            '-cp', self.jars.class_path()],
                           stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                           timeout=LIMIT_S, check=True)
            os.rename(partial, self.path)
        except (OSError, subprocess.SubprocessError):
            with open(self.given_up_path, 'w', encoding='ascii'):
                pass
        finally:
            for path in (partial, complete_list):
                if os.path.exists(path):
                    os.remove(path)
