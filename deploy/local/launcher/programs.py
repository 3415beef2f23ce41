"""Finds the programs that the services need, or names the Debian package that has them."""
import glob
import os
import re
import shutil

from .report import Failure

JAVA_VERSION = '17'  # Cassandra 5.0 knows 11 and 17, Kafka 4 wants at least 17


def _release(java):
    """The Java version by the file beside it ("17"), or None: a JVM start just to ask would cost more."""
    home = os.path.dirname(os.path.dirname(os.path.realpath(java)))
    try:
        with open(os.path.join(home, 'release'), encoding='utf-8') as file:
            found = re.search(r'^JAVA_VERSION="(\d+)', file.read(), re.MULTILINE)
            return found.group(1) if found else None
    except OSError:
        return None


def find_java():
    home = os.environ.get('JAVA_HOME')
    candidates = [os.path.join(home, 'bin', 'java')] if home else []
    candidates += [shutil.which('java')] + sorted(glob.glob(f'/usr/lib/jvm/java-{JAVA_VERSION}-*/bin/java'))
    for java in candidates:
        if java and os.access(java, os.X_OK) and _release(java) in (JAVA_VERSION, None):
            return java
    raise Failure(f'no Java {JAVA_VERSION} (JAVA_HOME, PATH, /usr/lib/jvm): '
                  f'apt-get install openjdk-{JAVA_VERSION}-jre-headless')


def find(program, package):
    path = shutil.which(program)
    if not path:
        raise Failure(f'no {program}: apt-get install {package}')
    return path
