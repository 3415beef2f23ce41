"""The command line: what may be typed, and what each command does."""
import argparse
import json
import os
import shlex
import signal
import sys

from . import plan as plans
from .cluster import KINDS, Cluster, each
from .jars import Jars
from .kafka import TOOLS
from .programs import find_java
from .report import EXIT_FAILED, EXIT_NOT_UP, Failure, say

FOLLOW_LINES = 200
EXIT_NO_COMMAND, EXIT_INTERRUPTED = 127, 130  # as a shell has them


def default_directory():
    base = os.environ.get('XDG_DATA_HOME') or os.path.expanduser('~/.local/share')
    return os.environ.get('CLUSTER_DIR') or os.path.join(base, 'orderly-cluster')


def cluster_of(options):
    return Cluster(plans.require(options.dir))


def up(options):
    options.ports = {service: getattr(options, f'{service}_port') for service in plans.SERVICES}
    cluster = Cluster(plans.load_or_make(options.dir, options))
    cluster.start(cluster.nodes)
    cluster.archive_classes()


def down(options):
    cluster = cluster_of(options)
    cluster.stop(cluster.nodes)


def wipe(options):
    plan = plans.load(options.dir)
    if plan:
        Cluster(plan).wipe()
    elif os.path.exists(options.dir) and (not os.path.isdir(options.dir) or os.listdir(options.dir)):
        raise Failure(f'{options.dir} is not the directory of a cluster: nothing deleted')


def start(options):
    cluster = cluster_of(options)
    cluster.start([cluster.node(name) for name in options.names])


def stop(options):
    cluster = cluster_of(options)
    cluster.stop([cluster.node(name) for name in options.names])


def kill(options):
    cluster = cluster_of(options)
    each(lambda node: node.process.kill(), [cluster.node(name) for name in options.names])


def signal_all(options, number):
    cluster = cluster_of(options)
    for node in [cluster.node(name) for name in options.names]:
        if not node.process.send(number):
            raise Failure(f'{node.name} does not run')


def freeze(options):
    signal_all(options, signal.SIGSTOP)


def thaw(options):
    signal_all(options, signal.SIGCONT)


def state_of(node):
    if not node.process.pid():
        return 'down'
    if node.process.frozen():
        return 'frozen'
    return 'answers' if node.seen() else 'does not answer'


def status(options):
    rows = [{'name': node.name, 'state': state_of(node), 'address': f'{node.address}:{node.port}',
             'pid': node.process.pid(), 'rss_mib': node.process.rss_mib()} for node in cluster_of(options).nodes]
    if options.json:
        print(json.dumps(rows, indent=1))
    else:
        for row in rows:
            pid = row['pid'] or '-'
            print(f"{row['name']:<12} {row['state']:<16} {row['address']:<16} pid {pid:<8} {row['rss_mib']} MiB")
    return 0 if all(row['state'] == 'answers' for row in rows) else EXIT_FAILED


def logs(options):
    path = cluster_of(options).node(options.name).log_path
    if not os.path.exists(path):
        raise Failure(f'{options.name} has no log yet')
    run(['tail', '-n', str(FOLLOW_LINES), '-F', path] if options.follow else ['cat', path])


def env(options):
    cluster = cluster_of(options)
    cluster.require_up()
    for name, value in cluster.plan.environment().items():
        print(f'{name}={shlex.quote(value)}')


def execute(options):
    command = options.command[1:] if options.command[:1] == ['--'] else options.command
    if not command:
        raise Failure('exec: which command?')
    cluster = cluster_of(options)
    cluster.require_up()
    os.environ.update(cluster.plan.environment(), CLUSTER_DIR=options.dir)
    run(command)


def fetch(_):
    find_java()
    for service in ('kafka', 'cassandra'):
        Jars(service).fetch()


def kafka_tool(options):
    node = cluster_of(options).node('kafka')
    node.fetch()
    arguments = list(options.arguments)
    if options.tool in TOOLS and '--bootstrap-server' not in arguments:
        arguments += ['--bootstrap-server', node.plan.addresses('kafka')]
    run(node.named_tool(options.tool, *arguments))


def nodetool(options):
    cluster = cluster_of(options)
    arguments = list(options.arguments)
    named = arguments and arguments[0] in [node.name for node in cluster.of('cassandra')]
    node = cluster.node(arguments.pop(0) if named else 'cassandra')
    node.fetch()
    run(node.nodetool(*arguments))


def run(command):
    """The launcher becomes the command."""
    sys.stdout.flush()
    try:
        os.execvp(command[0], command)
    except OSError as error:
        raise Failure(f'{command[0]}: {error.strerror}', EXIT_NO_COMMAND) from error


def port_number(text):
    port = int(text)
    if not 1024 <= port <= 65535 - max(plans.NODES):
        raise ValueError
    return port


def service_list(text):
    services = text.split(',')
    if not set(services) <= set(KINDS):
        raise ValueError
    return services


def add_up_options(parser):
    parser.add_argument('--nodes', type=int, choices=plans.NODES, help='of Kafka and Cassandra each (1)')
    for service, port in plans.DEFAULT_PORTS.items():
        parser.add_argument(f'--{service}-port', type=port_number, metavar='PORT', help=f'({port})')
    parser.add_argument('--free-ports', action='store_true', help='pick free ports instead of the usual ones')
    parser.add_argument('--for-load', action='store_true', help='slower to start, faster under load')
    parser.add_argument('--only', dest='services', type=service_list, metavar='SERVICE,…',
                        help='of kafka, cassandra, redis (all)')


def add_names(parser):
    parser.add_argument('names', nargs='+', metavar='NAME', help='kafka, kafka-2, kafka-3, cassandra, …, redis')


def add_name_and_follow(parser):
    parser.add_argument('name', metavar='NAME')
    parser.add_argument('-f', '--follow', action='store_true', help='the end, and then what comes')


def add_json(parser):
    parser.add_argument('--json', action='store_true')


def add_command(parser):
    parser.add_argument('command', nargs=argparse.REMAINDER, metavar='-- COMMAND …')


def add_tool(parser):
    parser.add_argument('tool', metavar='TOOL', help=f'{", ".join(TOOLS)}, or a class')
    parser.add_argument('arguments', nargs=argparse.REMAINDER, metavar='…')


def add_arguments(parser):
    parser.add_argument('arguments', nargs=argparse.REMAINDER, metavar='[NAME] …')


COMMANDS = {
    'up': (up, add_up_options, 'start what does not run, and wait until everything answers'),
    'down': (down, None, 'end all nodes cleanly; the data stays'),
    'status': (status, add_json, 'each node: pid, memory, address, whether it answers; exit code 0 if all do'),
    'logs': (logs, add_name_and_follow, "a node's log"),
    'start': (start, add_names, 'start nodes and wait until they answer'),
    'stop': (stop, add_names, 'end nodes cleanly (SIGTERM) and wait'),
    'kill': (kill, add_names, 'SIGKILL, and wait until their ports are free'),
    'freeze': (freeze, add_names, 'SIGSTOP'),
    'thaw': (thaw, add_names, 'SIGCONT'),
    'wipe': (wipe, None, 'end all nodes at once and delete the data'),
    'env': (env, None, 'the addresses as lines for a shell'),
    'exec': (execute, add_command, 'run a command with the addresses in its environment'),
    'fetch': (fetch, None, 'fetch the jars, for later work offline'),
    'kafka-tool': (kafka_tool, add_tool, "one of Kafka's own tools"),
    'nodetool': (nodetool, add_arguments, "Cassandra's nodetool"),
}


def parser_of_all():
    parser = argparse.ArgumentParser(prog='cluster', description='Real Kafka, Cassandra and Redis without containers.',
                                     epilog=f'exit codes: {EXIT_FAILED} failed, 2 wrong usage, {EXIT_NOT_UP} not up')
    parser.add_argument('--dir', default=default_directory(),
                        help='data, logs and what `up` chose (default: $CLUSTER_DIR, else %(default)s)')
    commands = parser.add_subparsers(dest='name_of_command', metavar='COMMAND', required=True)
    for name, (function, add, text) in COMMANDS.items():
        sub = commands.add_parser(name, help=text, description=text)
        if add:
            add(sub)
        sub.set_defaults(function=function)
    commands.add_parser('help', help='this text').set_defaults(function=lambda _: parser.print_help())
    return parser


def main(arguments):
    options = parser_of_all().parse_args(arguments)
    options.dir = os.path.realpath(options.dir)
    try:
        return options.function(options) or 0
    except Failure as failure:
        say(str(failure))
        return failure.exit_code
    except OSError as error:
        say(str(error))
        return EXIT_FAILED
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
