"""The jars of Kafka and Cassandra: fetched once by Maven into a cache that every cluster of the user shares."""
import glob
import hashlib
import os
import shutil
import subprocess
import tempfile
import time

from .directory import lock
from .programs import find
from .report import Failure, say

HOME = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PROGRESS_S = 5
LOG_TAIL_LINES = 20


def cache_directory(*names):
    base = os.environ.get('XDG_CACHE_HOME') or os.path.expanduser('~/.cache')
    path = os.path.join(os.path.abspath(base), 'orderly', *names)
    os.makedirs(path, exist_ok=True)
    return path


def versions():
    with open(os.path.join(HOME, 'versions.properties'), encoding='utf-8') as file:
        lines = [line.strip() for line in file if line.strip() and not line.startswith('#')]
    return dict(line.split('=', 1) for line in lines)


class Jars:
    """What one pom names. The directory's name holds the version and a hash of what decides its content."""

    def __init__(self, service):
        self.service = service
        self.version = versions()[f'{service}.version']
        self.pom = os.path.join(HOME, service, 'pom.xml')
        with open(self.pom, 'rb') as file:
            content = hashlib.sha256(file.read() + repr(sorted(versions().items())).encode()).hexdigest()[:8]
        self.directory = os.path.join(cache_directory('jars'), f'{service}-{self.version}-{content}')

    def paths(self):
        """In an order that never changes: an archive of loaded classes holds only for the same class path."""
        return sorted(glob.glob(os.path.join(glob.escape(self.directory), '*.jar')))

    def class_path(self):
        return ':'.join(self.paths())

    def one(self, prefix):
        return next(path for path in self.paths() if os.path.basename(path).startswith(prefix))

    def fetch(self):
        """Fills the cache, unless it is. Maven's own repository is shared too, hence one lock for all."""
        if os.path.isdir(self.directory):
            return
        with lock(cache_directory('jars')):
            if os.path.isdir(self.directory):
                return
            maven = find('mvn', 'maven')
            for left in glob.glob(os.path.join(glob.escape(cache_directory('jars')), '.partial-*')):
                shutil.rmtree(left, ignore_errors=True)  # of a launcher that was killed
            partial = tempfile.mkdtemp(prefix='.partial-', dir=cache_directory('jars'))
            try:
                os.chmod(partial, 0o755)
                self._download(maven, partial)
                os.rename(partial, self.directory)
            finally:
                shutil.rmtree(partial, ignore_errors=True)

    def _download(self, maven, target):
        plugin = f'org.apache.maven.plugins:maven-dependency-plugin:{versions()["dependency-plugin.version"]}'
        say(f'fetching {self.service} {self.version} with Maven, once: {self.directory}')
        command = [maven, '--batch-mode', '--file', self.pom, f'{plugin}:copy-dependencies',
                   f'-DoutputDirectory={target}', '-DincludeScope=runtime',
                   *(f'-D{name}={version}' for name, version in versions().items())]
        began = said = time.monotonic()
        lines, files = [], 0
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, errors='replace') as maven_process:
            for line in maven_process.stdout:
                lines = (lines + [line])[-LOG_TAIL_LINES:]
                files += 'Downloaded from' in line
                if time.monotonic() - said > PROGRESS_S:
                    said = time.monotonic()
                    say(f'fetching {self.service}: {files} files so far')
        if maven_process.returncode or not glob.glob(os.path.join(glob.escape(target), '*.jar')):
            raise Failure(f'Maven could not fetch {self.service} {self.version}; the end of what it said:\n'
                          + ''.join(lines))
        size = sum(entry.stat().st_size for entry in os.scandir(target))
        say(f'fetched {self.service} {self.version}: {size >> 20} MiB in {time.monotonic() - began:.0f} s')
