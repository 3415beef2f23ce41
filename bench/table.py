"""What every bench prints: the machine, and a line for each row."""
import os
import platform


def machine():
    model = next((line.split(':', 1)[1].strip() for line in open('/proc/cpuinfo') if line.startswith('model name')), '?')
    memory = int(next(line for line in open('/proc/meminfo') if line.startswith('MemTotal')).split()[1]) // 1024
    return {'cpu': model, 'cores': os.cpu_count(), 'memory_mib': memory, 'kernel': platform.release()}


def format_row(row):
    verdict = {True: 'met', False: 'MISSED', None: ''}[row.get('met')]
    return f"{row['what']:<46} {row['value']:<22} goal {row['goal']:<12} {verdict:<7} {row['detail']}"
