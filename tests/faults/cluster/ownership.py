"""Who owned which partition when, from the consumers' own log lines and the moments at which they ended."""
import collections
import datetime
import json

GAINS, LOSES = {'partition assigned'}, {'partition handed over', 'partition lost'}


def wall_s(text):
    return datetime.datetime.fromisoformat(text.replace('Z', '+00:00')).timestamp()


def intervals_of(lines, ended_at, intervals):
    """Adds (from, to) for each partition that one process owned. ended_at: when the process was gone."""
    held = {}
    for line in lines:
        if '"partition"' not in line:
            continue
        entry = json.loads(line)
        partition, when = entry['partition'], wall_s(entry['time'])
        if entry['message'] in GAINS:
            held.setdefault(partition, when)
        elif entry['message'] in LOSES and partition in held:
            intervals[partition].append((held.pop(partition), when))
    for partition, since in held.items():
        intervals[partition].append((since, ended_at))


def of_members(members):
    """partition -> [(from, to)] of all processes of these members; their debug lines must be in the logs."""
    intervals = collections.defaultdict(list)
    for member in members:
        for path in member.log_paths():
            with open(path, errors='replace') as lines:
                intervals_of(lines, member.ends.get(path, float('inf')), intervals)
    return intervals


def longest_gap(intervals, began, ended):
    """The longest stretch between these moments in which nobody owned the partition: (seconds, when it began)."""
    longest, free_since = (0.0, began), began
    for since, until in sorted(intervals):
        if since > ended:
            break
        if since - free_since > longest[0]:
            longest = (since - free_since, free_since)
        free_since = max(free_since, until)
    return max(longest, (ended - free_since, free_since))
