"""Kafka's murmur2 partitioner, once more: so that the tests know where a key belongs without asking the program."""

MASK = 0xffffffff


def murmur2(data):
    m, h = 0x5bd1e995, 0x9747b28c ^ len(data)
    whole = len(data) & ~3
    for at in range(0, whole, 4):
        k = int.from_bytes(data[at:at + 4], 'little') * m & MASK
        k = (k ^ k >> 24) * m & MASK
        h = h * m & MASK ^ k
    rest = data[whole:]
    if rest:
        h = (h ^ int.from_bytes(rest, 'little')) * m & MASK
    h = (h ^ h >> 13) * m & MASK
    return h ^ h >> 15


def partition_of(key, partitions):
    return (murmur2(key.encode()) & 0x7fffffff) % partitions
