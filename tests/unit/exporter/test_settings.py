"""The configuration: file, environment, and all mistakes at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from pgha_exporter import settings
from pgha_exporter.__main__ import main
from pgha_exporter.errors import SettingsError

NEEDED = {"PGHA_EXPORTER_SCOPE": "main", "PGHA_EXPORTER_MEMBER": "a"}


def problems(environment: dict[str, str], path: str | None = None) -> list[str]:
    with pytest.raises(SettingsError) as raised:
        settings.load(path, environment)
    return list(raised.value.problems)


def test_the_environment_alone_is_enough() -> None:
    found = settings.load(
        None, {**NEEDED, "PGHA_EXPORTER_ETCD_ENDPOINTS": "http://a:2379, http://b:2379"}
    )
    assert found.etcd_endpoints == ("http://a:2379", "http://b:2379")
    assert found.listen == ("127.0.0.1", 8010)


def test_the_environment_overrides_the_file(tmp_path: Path) -> None:
    path = tmp_path / "exporter.yml"
    path.write_text("scope: main\nmember: a\nmembers_expected: 3\nserved_ports: [8008, 5432]\n")
    found = settings.load(str(path), {"PGHA_EXPORTER_MEMBER": "b"})
    assert (found.scope, found.member, found.members_expected) == ("main", "b", 3)
    assert found.served_ports == ("8008", "5432")


def test_every_problem_is_found_at_once(tmp_path: Path) -> None:
    path = tmp_path / "exporter.yml"
    path.write_text(
        "scpoe: main\nmembers_expected: many\nweb_listen: nowhere\npatroni_url: localhost\n"
        "etcd_protocol: smoke\nlog_level: loud\nroute_ca_file: /nonexistent\n"
        "etcd_cert_file: /etc/hostname\nserved_ports: [x]\nroute_rw_port: 70000\n"
    )
    found = "\n".join(problems({}, str(path)))
    for word in ("scpoe", "scope is missing", "member is missing", "members_expected", "web_listen",
                 "patroni_url", "etcd_protocol", "log_level", "route_ca_file", "given together",
                 "served_ports", "route_rw_port"):  # fmt: skip
        assert word in found


@pytest.mark.parametrize("content", ["- a", "a: [", "\x00", "just text"])
def test_a_file_that_is_no_list_of_settings(tmp_path: Path, content: str) -> None:
    path = tmp_path / "exporter.yml"
    path.write_text(content)
    assert str(path) in problems(NEEDED, str(path))[0]


def test_a_missing_file_is_said() -> None:
    assert "cannot be read" in problems(NEEDED, "/nonexistent.yml")[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [("0.0.0.0:8010", ("0.0.0.0", 8010)), ("[::1]:1", ("::1", 1)), (":9", ("", 9))],
)
def test_addresses(text: str, expected: tuple[str, int]) -> None:
    assert settings.split_address(text) == expected


def test_check_says_so_and_ends(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in NEEDED.items():
        monkeypatch.setenv(name, value)
    assert main(["--check"]) == 0
    assert "can be used" in capsys.readouterr().out
    monkeypatch.setenv("PGHA_EXPORTER_WEB_LISTEN", "x")
    assert main(["--check"]) == 2
    assert "error: web_listen" in capsys.readouterr().err


def test_a_taken_port_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import logging
    import socket

    kept = logging.getLogger().handlers[:]
    with socket.create_server(("127.0.0.1", 0)) as taken:
        for name, value in NEEDED.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("PGHA_EXPORTER_WEB_LISTEN", f"127.0.0.1:{taken.getsockname()[1]}")
        assert main([]) == 1
    logging.getLogger().handlers[:] = kept
    assert "cannot be used" in capsys.readouterr().err
