"""What is done to whom and when: one plan for each round, from the seed alone."""
import dataclasses
import threading
import time

from ledger import seeded

# How long a process is away, by what it is: the short freeze stays below its own session, the long one goes beyond (a
# broker's session is 3 s, a group member's 6 s).
KILLED_S = {'api': (0, 0), 'consumer': (0, 0), 'kafka': (0.5, 4), 'cassandra': (0.5, 4), 'redis': (0.5, 5)}
SHORT_S = {'api': (0.3, 2), 'consumer': (0.5, 4), 'kafka': (0.3, 2), 'cassandra': (0.3, 2), 'redis': (0.3, 2)}
LONG_S = {'api': (4, 8), 'consumer': (8, 12), 'kafka': (5, 9), 'cassandra': (12, 16), 'redis': (5, 10)}
WAYS = {'kill': KILLED_S, 'freeze': SHORT_S, 'long freeze': LONG_S}


@dataclasses.dataclass
class Blow:
    name: str       # "kafka-2", "api-1"
    way: str        # of WAYS
    after_s: float  # the load's start
    for_s: float

    def __str__(self):
        return f'{self.way} {self.name} at {self.after_s:.1f} s for {self.for_s:.1f} s'


def blow(rng, name, way, after_s):
    return Blow(name, way, after_s, rng.uniform(*WAYS[way][name.split('-')[0]]))


def plan(seed, number, names):
    """Round `number` of an installation with these processes: first each kind of victim each way, then two at once."""
    rng = seeded(seed, 'plan', number)
    kinds = sorted({name.split('-')[0] for name in names})
    single = [(kind, way) for kind in kinds for way in WAYS]
    seeded(seed, 'order', len(names)).shuffle(single)
    first = number % (2 * len(single))
    after_s = rng.uniform(1, 4)
    if first < len(single):
        kind, way = single[first]
        return [blow(rng, rng.choice([name for name in names if name.split('-')[0] == kind]), way, after_s)]
    chosen = rng.sample(names, 2)
    return [blow(rng, chosen[0], rng.choice(list(WAYS)), after_s),
            blow(rng, chosen[1], rng.choice(list(WAYS)), after_s + rng.uniform(0, 2))]


def strike(installation, blows):
    """Carries the plan out, to its end: everything was killed is up again and everything frozen is thawed."""
    began, problems = time.monotonic(), []
    threads = [threading.Thread(target=strike_one, args=(installation, blow, began, problems)) for blow in blows]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems, problems[0]


def strike_one(installation, blow, began, problems):
    try:
        time.sleep(max(0, began + blow.after_s - time.monotonic()))   # the plan's dice, not a wait for anything
        member = installation.members.get(blow.name)
        if member:
            strike_member(member, blow)
        else:
            strike_service(installation, blow)
    except Exception as error:
        problems.append(f'{blow}: {type(error).__name__}: {error}')


def strike_member(member, blow):
    if blow.way == 'kill':
        member.kill()
    else:
        member.freeze()
        time.sleep(blow.for_s)
        member.thaw()


def strike_service(installation, blow):
    services = installation.engine.services
    trouble = installation.ledger.begin_trouble(blow.name, 'killed' if blow.way == 'kill' else 'frozen')
    services.run('kill' if blow.way == 'kill' else 'freeze', blow.name)
    time.sleep(blow.for_s)
    services.run('start' if blow.way == 'kill' else 'thaw', blow.name)
    installation.ledger.end_trouble(trouble)
