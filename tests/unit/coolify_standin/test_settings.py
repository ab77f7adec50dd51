"""Seed file and restarts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lab.coolify.__main__ import main
from lab.coolify.settings import SeedError, Settings, load_seed, parse_seed
from lab.coolify.standin import Standin
from lab.coolify.store import servers
from tests.contract.fake_host import FakeHost
from tests.contract.loopback import seed


def test_all_problems_at_once(tmp_path: Path) -> None:
    path = tmp_path / "seed.json"
    tokens = [
        {"token": "nope", "name": "one"},
        {"token": "1|x", "name": "two", "abilities": ["fly"]},
    ]
    path.write_text(json.dumps({"servers": [{"name": "s"}], "tokens": tokens}))
    with pytest.raises(SeedError) as failure:
        load_seed(path)
    for part in (str(path), "lacks ip", "one is not", "two has unknown abilities fly"):
        assert part in str(failure.value)


def test_the_command_says_what_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "seed.json"
    path.write_text(json.dumps(seed()))
    assert main(["--data", str(tmp_path), "--seed", str(path)]) == 2
    assert "needs ssh_key and known_hosts" in capsys.readouterr().err


def test_secrets_stay_out_of_repr() -> None:
    parsed = parse_seed({"tokens": [{"token": "1|verysecret", "name": "n", "abilities": ["read"]}]})
    assert "verysecret" not in repr(parsed)


def test_seeding_again_keeps_ids_and_takes_new_addresses(tmp_path: Path) -> None:
    def start(ip: str) -> tuple[str, str]:
        data = seed([{"name": "s1", "ip": ip}])
        standin = Standin(Settings(tmp_path), parse_seed(data), FakeHost())
        row = servers.by_name(standin.db, "s1")
        standin.db.close()
        assert row is not None
        return row["uuid"], row["ip"]

    first, second = start("172.28.0.1"), start("172.28.0.2")
    assert first[0] == second[0]
    assert second[1] == "172.28.0.2"
