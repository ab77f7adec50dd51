"""``pgha-exporter [--config FILE] [--check]``"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import threading
from collections.abc import Sequence

from pgha_exporter import logs, memory, settings
from pgha_exporter.errors import SettingsError
from pgha_exporter.exporter import VERSION, Exporter
from pgha_exporter.settings import Settings
from pgha_exporter.web.config import Access
from pgha_exporter.web.pages import Pages
from pgha_exporter.web.server import Server

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
log = logging.getLogger("pgha_exporter")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until SIGTERM or SIGINT; SIGHUP takes up new settings.

    Exit status 1 when it cannot run, 2 for wrong settings.
    """
    wanted = _parsed(arguments)
    try:
        chosen = settings.load(wanted.config)
        access = Access(chosen.web_config_file)
    except SettingsError as err:
        for problem in err.problems:
            print(f"error: {problem}", file=sys.stderr)
        return 2
    if wanted.check:
        print("The settings can be used.")
        return 0
    memory.one_heap()
    logs.configure(chosen.log_level)
    logs.quiet_threads()
    status, begin_anew = _run(chosen, access, wanted.config)
    if begin_anew:
        given = sys.argv[1:] if arguments is None else arguments
        os.execv(sys.executable, [sys.executable, "-m", "pgha_exporter", *given])  # noqa: S606
    return status


def _run(chosen: Settings, access: Access, path: str | None) -> tuple[int, bool]:
    """Exit status, and whether to begin anew with new settings."""
    # Blocked in every thread and fetched by `_told_to_begin_anew`, so that none is lost: a handler
    # would run only when the main thread wakes up, and another thread may have got the signal.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    exporter = Exporter(chosen)
    try:
        server = Server(chosen.listen, access, Pages(exporter))
    except OSError as err:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        print(f"error: web_listen {chosen.web_listen} cannot be used: {err}.", file=sys.stderr)
        return 1, False
    serving = threading.Thread(target=server.serve, name="web", daemon=True)
    serving.start()
    exporter.start()
    exporter.collect()
    memory.settle()
    fields = {"address": chosen.web_listen, "version": VERSION, "member": chosen.member}
    log.info("listening", extra={"fields": fields})
    begin_anew = _told_to_begin_anew(path)
    server.stop()
    serving.join()
    exporter.stop()
    log.info("stopped")
    return 0, begin_anew


def _told_to_begin_anew(path: str | None) -> bool:
    """Wait for a signal: True for SIGHUP with settings that can be used, False for the others."""
    while signal.sigwait(SIGNALS) == signal.SIGHUP:
        try:
            Access(settings.load(path).web_config_file)
        except SettingsError as err:
            fields = {"problems": " ".join(err.problems)}
            text = "new settings cannot be used; going on with the old"
            log.error(text, extra={"fields": fields})
        else:
            return True
    return False


def _parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="pgha-exporter",
        description="Prometheus exporter for one member of a Patroni cluster.",
        epilog="Every setting can also be given in the environment, as PGHA_EXPORTER_<SETTING>.",
    )
    parser.add_argument("--config", metavar="FILE", help="YAML file with the settings")
    parser.add_argument("--check", action="store_true", help="check the settings and stop")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
