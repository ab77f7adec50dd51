"""``python3 -m lab``: start, look at, and stop the lab."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from lab.down import destroy, down, keeps_state_elsewhere, remove_state
from lab.errors import LabError
from lab.instance import Instance
from lab.lock import lab_lock
from lab.logs import collect_logs
from lab.progress import Progress
from lab.servers import ensure_running
from lab.status import headline, read_status, table
from lab.up import up

Command = Callable[[Instance, argparse.Namespace, Console], int]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit status: 0 done, 1 not done (one sentence on standard error)."""
    options = parser().parse_args(arguments)
    command: Command = options.command
    try:
        return command(Instance.load(options.instance, os.environ), options, Console())
    except LabError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("error: interrupted; run the same command again to go on.", file=sys.stderr)
        return 130


def parser() -> argparse.ArgumentParser:
    """The command line."""
    every = argparse.ArgumentParser(add_help=False)
    usual = os.environ.get("PGHA_LAB_INSTANCE", "dev")
    every.add_argument(
        "--instance", default=usual, help="which lab: dev or test (default: %(default)s)"
    )
    top = argparse.ArgumentParser(prog="python3 -m lab", description=__doc__)
    commands = top.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, command: Command, text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, parents=[every], help=text, description=text)
        sub.set_defaults(command=command)
        return sub

    upping = add("up", _up, "start the lab, or repair it")
    upping.add_argument(
        "--no-images", action="store_true", help="do not build the images that servers run"
    )
    add("down", _down, "stop the lab; its data stays")
    status = add("status", _status, "what runs; exit status 1 when something does not")
    status.add_argument("--json", action="store_true", help="as data")
    destroying = add("destroy", _destroy, "stop the lab and remove its data")
    destroying.add_argument("--yes", action="store_true", help="do not ask")
    destroying.add_argument(
        "--state", action="store_true", help="also remove passwords, CA and backups kept elsewhere"
    )
    logs = add("logs", _logs, "collect the logs of all servers")
    logs.add_argument("directory", type=Path, metavar="DIR")
    inside = add("exec", _exec, "run a command on a server")
    inside.add_argument("server", help="host name, short name, node name or address")
    inside.add_argument("argv", nargs=argparse.REMAINDER, metavar="-- CMD")
    return top


def _up(instance: Instance, options: argparse.Namespace, console: Console) -> int:
    with lab_lock(instance, "up"), Progress(console) as progress:
        with progress.step(f"lab {instance.name} up"):
            up(instance, progress, build_images=not options.no_images)
        status = read_status(instance, minions={server.host for server in instance.servers})
    _show(status, console)
    return 0 if status["up"] else 1


def _show(status: dict[str, Any], console: Console) -> None:
    if not console.is_terminal:
        # A pipe has no width; wrapped rows are of no use to whoever reads it.
        console = Console(width=120)
    console.print(headline(status), highlight=False)
    console.print(table(status), highlight=False)


def _down(instance: Instance, _options: argparse.Namespace, console: Console) -> int:
    with lab_lock(instance, "down"), Progress(console) as progress:
        down(instance, progress)
    return 0


def _status(instance: Instance, options: argparse.Namespace, console: Console) -> int:
    status = read_status(instance)
    if options.json:
        print(json.dumps(status, indent=2))
    else:
        _show(status, console)
    return 0 if status["up"] else 1


def _destroy(instance: Instance, options: argparse.Namespace, console: Console) -> int:
    if not options.yes:
        _ask(
            f"This removes the servers of the lab {instance.name} and all their data.",
            instance.name,
        )
    elsewhere = keeps_state_elsewhere(instance)
    with_state = elsewhere and (options.state or (not options.yes and _agrees_to_lose(instance)))
    with lab_lock(instance, "destroy"), Progress(console) as progress:
        destroy(instance, progress)
    if with_state:
        remove_state(instance.state_dir)
    elif elsewhere:
        console.print(
            f"kept: {instance.state_dir} (passwords, CA, backups)", highlight=False, soft_wrap=True
        )
    return 0


def _ask(what: str, wanted: str) -> None:
    if not sys.stdin.isatty():
        raise LabError("Nobody can be asked here: say --yes if you mean it.")
    print(what)
    if input(f"Type {wanted!r} to go on: ").strip() != wanted:
        raise LabError("Nothing was removed.")


def _agrees_to_lose(instance: Instance) -> bool:
    print(f"Passwords, CA and backups are in {instance.state_dir}.")
    return input("Type 'state' to remove them too, Enter to keep them: ").strip() == "state"


def _logs(instance: Instance, options: argparse.Namespace, console: Console) -> int:
    with Progress(console) as progress:
        problems = collect_logs(instance, options.directory, progress)
    for problem in problems:
        print(f"missing: {problem}", file=sys.stderr)
    console.print(f"in {options.directory}", highlight=False, soft_wrap=True)
    return 0


def _exec(instance: Instance, options: argparse.Namespace, _console: Console) -> int:
    argv = options.argv[1:] if options.argv[:1] == ["--"] else options.argv
    if not argv:
        raise LabError("Say what to run: python3 -m lab exec SERVER -- COMMAND.")
    terminal = ["--tty"] if sys.stdin.isatty() and sys.stdout.isatty() else []
    host = instance.server(options.server).host
    ensure_running(instance, host)
    sys.stdout.flush()
    os.execvp("docker", ["docker", "exec", "--interactive", *terminal, host, *argv])  # noqa: S606
