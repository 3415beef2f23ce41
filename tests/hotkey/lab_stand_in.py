#!/usr/bin/env python3
"""Stands in for `orderly simulate --pipe`: says what a run says, or misbehaves as told by --mode."""
import json
import os
import select
import signal
import subprocess
import sys
import time

arguments = sys.argv[1:]
mode = arguments[arguments.index('--mode') + 1] if '--mode' in arguments else 'run'
run_id = arguments[arguments.index('--run-id') + 1]
directory = arguments[arguments.index('--save') + 1]


def say(**event):
    print(json.dumps(event), flush=True)


def tick(second):
    say(type='tick', second=second, hot_key={'name': f'orderly:lab:{run_id}:7', 'key': 7, 'memory_bytes': 152 + second,
                                             'frequency': None, 'value_bytes': 100, 'value': 'vérité'})


def save():
    saving = os.path.join(directory, '.saving-' + run_id)
    os.mkdir(saving)
    summary = {'run_id': run_id, 'profile': 'default'}
    for name, text in (('summary.json', json.dumps(summary)), ('result.json', '{"run_id":"' + run_id + '"}'),
                       ('report.html', '<p>report</p>'), ('seconds.csv', 'second\r\n'), ('hot-service.hgrm', 'hot service\n')):
        with open(os.path.join(saving, name), 'w') as file:
            file.write(text)
    if mode == 'dies-saving':
        os.kill(os.getpid(), signal.SIGKILL)
    os.rename(saving, os.path.join(directory, run_id))
    return summary


def report_self():
    """What this process was given, for the test to look at."""
    path = os.path.join(directory, 'self.json')
    with open(os.path.join(directory, 'new.json'), 'w') as file:
        fds = [int(name) for name in os.listdir('/proc/self/fd') if os.path.exists(f'/proc/self/fd/{name}')]
        with open('/proc/self/status') as status:
            masks = {line.split(':')[0]: line.split(':')[1].strip() for line in status if line.startswith('Sig')}
        json.dump({'pid': os.getpid(), 'arguments': arguments, 'environment': dict(os.environ), 'fds': sorted(fds), 'cwd': os.getcwd(),
                   'blocked': masks['SigBlk'], 'ignored': masks['SigIgn'], 'parameters': parameters}, file)
    os.rename(os.path.join(directory, 'new.json'), path)


if mode == 'deaf':
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
parameters = json.loads(sys.stdin.readline())
report_self()
if mode == 'crash-early':
    sys.exit('no target:\nthe last \x01line\n')
if mode == 'error':
    say(type='error', error='Redis at nowhere:1 does not answer: é' + 'x' * 600)
    sys.exit(1)
if mode == 'silent':
    time.sleep(3600)
say(type='ready', run_id=run_id, target='a stand-in', target_policy='noeviction', config=parameters, key_prefix='orderly:lab:')
if mode == 'garbage':
    print('this is no JSON', flush=True)
    time.sleep(3600)
if mode == 'unknown':
    say(type='surprise')
    time.sleep(3600)
if mode == 'flood':
    while True:
        tick(1)
if mode == 'long-line':
    print('{"type":"tick","x":"' + 'x' * 100000, flush=True)
    time.sleep(3600)
if mode == 'stderr-flood':
    while True:
        sys.stderr.write('x' * 65536)
if mode == 'crash':
    tick(0)
    os.kill(os.getpid(), signal.SIGSEGV)
if mode == 'closes-output':
    os.close(1)
    time.sleep(3600)
if mode == 'grandchild':
    child = subprocess.Popen(['sleep', '3600'])
    with open(os.path.join(directory, 'grandchild'), 'w') as file:
        file.write(str(child.pid))
    os.kill(os.getpid(), signal.SIGKILL)
second = 0
tick(second)
if mode == 'deaf' or mode == 'still':
    time.sleep(3600)
stops_at = time.monotonic() + parameters['duration_s']
while time.monotonic() < stops_at:
    if select.select([0], [], [], 0.02)[0] and os.read(0, 1) == b'':
        break
    if time.monotonic() > stops_at - parameters['duration_s'] + second + 1:
        second += 1
        tick(second)
summary = save()
say(type='end', end='stopped' if time.monotonic() < stops_at else 'duration', end_text='It was stopped.', summary=summary)
