"""Command line: `python -m lab.coolify --data DIR --seed FILE`."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from pathlib import Path

import uvicorn

from .app import create_app
from .hosts.ssh import SshHost
from .settings import Seed, SeedError, Settings, load_seed
from .standin import Standin


def main(arguments: list[str] | None = None) -> int:
    options = _parse(arguments)
    os.umask(0o077)
    try:
        seed = load_seed(options.seed)
        host = _ssh_host(seed, options.data)
    except SeedError as error:
        print(error, file=sys.stderr)
        return 2
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    settings = Settings(
        data_dir=options.data,
        status_interval_s=options.status_interval,
        rate_limit=options.rate_limit,
        faults=options.faults,
    )
    app = create_app(Standin(settings, seed, host))
    uvicorn.run(
        app,
        host=options.host,
        port=options.port,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=5,
    )
    return 0


def _ssh_host(seed: Seed, data: Path) -> SshHost:
    if seed.ssh_key is None or seed.known_hosts is None:
        raise SeedError("The seed file needs ssh_key and known_hosts, see lab/coolify/README.md.")
    control = data / "ssh"
    control.mkdir(parents=True, exist_ok=True)
    return SshHost(seed.ssh_key, seed.known_hosts, control)


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m lab.coolify", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder for database and logs")
    parser.add_argument("--seed", type=Path, required=True, help="servers and tokens (JSON)")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--status-interval", type=float, default=60.0, help="seconds")
    parser.add_argument("--rate-limit", type=int, default=200, help="requests per minute and user")
    parser.add_argument("--faults", action="store_true", help="open /__lab__/ (tests only)")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
