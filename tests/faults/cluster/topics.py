"""Reading topics outside of orderly: kcat on Kafka, a small C program on the embedded log."""
import dataclasses
import json
import os
import re
import subprocess

TIMEOUT_S = 60
HEADER = re.compile(r'(?:^|,)(ce_[a-z]+|content-type|traceparent|x-request-id)=')


@dataclasses.dataclass
class Record:
    partition: int
    offset: int
    time_ms: int
    key: str
    value: bytes
    headers: dict

    def json(self):
        return json.loads(self.value)


class TopicReader:
    """All of a topic so far; read() adds what is new. dump(topic, offsets) gives the records from there to the end."""

    def __init__(self, dump, topic, partitions):
        self.dump, self.topic = dump, topic
        self.offsets = [0] * partitions
        self.records = []

    def read(self):
        new = self.dump(self.topic, self.offsets)
        for record in new:
            assert record.offset >= self.offsets[record.partition], 'a reader went back'
            self.offsets[record.partition] = record.offset + 1
        self.records += new
        return new


def dump_by_tool(environment, topic, offsets):
    done = subprocess.run([os.environ['DUMP_TOPIC'], topic, *map(str, offsets)], capture_output=True, text=True,
                          timeout=TIMEOUT_S, env={**os.environ, **environment})
    assert done.returncode == 0, done.stderr
    return [parse_tool_line(line) for line in done.stdout.splitlines()]


def parse_tool_line(line):
    partition, offset, time_ms, key, value, *headers = line.split('\t')
    pairs = (header.partition('=') for header in headers)
    return Record(int(partition), int(offset), int(time_ms), bytes.fromhex(key).decode(errors='replace'),
                  bytes.fromhex(value), {name: bytes.fromhex(text).decode(errors='replace') for name, _, text in pairs})


def dump_by_kcat(servers, topic, offsets):
    """One kcat for each partition that has something new: only so can each start at its own offset."""
    ends = kafka_ends(servers, topic, len(offsets))
    readers = [(partition, subprocess.Popen(['kcat', '-q', '-b', servers, '-C', '-t', topic, '-p', str(partition), '-o', str(offset),
                                             '-c', str(ends[partition] - offset), '-e', '-f', '%p %o %T %K %S\n%k%s\n%h\n'],
                                            stdout=subprocess.PIPE, stderr=subprocess.PIPE))
               for partition, offset in enumerate(offsets) if ends[partition] > offset]
    records = []
    try:
        for partition, reader in readers:
            out, error = reader.communicate(timeout=TIMEOUT_S)
            assert reader.returncode == 0, error.decode()
            records += parse_kcat(out)
    finally:
        for _, reader in readers:
            if reader.poll() is None:
                reader.kill()
                reader.communicate()
    return records


def kafka_ends(servers, topic, partitions):
    """The next offset of each partition."""
    asked = [argument for partition in range(partitions) for argument in ('-t', f'{topic}:{partition}:-1')]
    done = subprocess.run(['kcat', '-b', servers, '-Q', *asked], capture_output=True, text=True, timeout=TIMEOUT_S)
    found = re.findall(r'\[(\d+)\] offset (-?\d+)', done.stdout)
    assert done.returncode == 0 and len(found) == partitions, (done.stdout, done.stderr)
    return {int(partition): int(offset) for partition, offset in found}


def parse_kcat(out):
    at = 0
    while at < len(out):
        end = out.index(b'\n', at)
        partition, offset, time_ms, key_size, value_size = (max(0, int(number)) for number in out[at:end].split())
        key, at = out[end + 1:end + 1 + key_size], end + 1 + key_size
        value, at = out[at:at + value_size], at + value_size + 1
        end = out.index(b'\n', at)
        yield Record(partition, offset, time_ms, key.decode(errors='replace'), value, parse_headers(out[at:end].decode(errors='replace')))
        at = end + 1


def parse_headers(text):
    """kcat joins headers by commas, which their values may hold too: so only names we know begin a new one."""
    parts = HEADER.split(text)
    return dict(zip(parts[1::2], parts[2::2]))
