"""Certificates and backup stamps."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from hypothesis import given, settings
from hypothesis import strategies as st

from pgha.certificates import certificate_pem, new_key, self_signed
from pgha_exporter import backup, x509
from pgha_exporter.errors import SourceError
from pgha_exporter.expected import ExpectedMembers
from pgha_exporter.server import ServerCollector, certificates_below

NOW = datetime(2026, 11, 24, 7, tzinfo=timezone.utc)
CERTIFICATE = self_signed(new_key(), NOW)
DER = CERTIFICATE.public_bytes(serialization.Encoding.DER)


def test_the_end_is_what_cryptography_reads() -> None:
    assert x509.not_after(DER) == CERTIFICATE.not_valid_after_utc.timestamp()


def test_an_end_beyond_2050_is_read() -> None:
    late = self_signed(new_key(), NOW + timedelta(days=365 * 40))
    der = late.public_bytes(serialization.Encoding.DER)
    assert x509.not_after(der) == late.not_valid_after_utc.timestamp()


@given(st.binary(max_size=300))
def test_anything_else_is_a_value_error(der: bytes) -> None:
    with pytest.raises(ValueError):
        x509.not_after(der)


@given(st.integers(0, len(DER) - 1), st.integers(0, 255))
def test_a_damaged_certificate_breaks_nothing(at: int, byte: int) -> None:
    damaged = DER[:at] + bytes([byte]) + DER[at + 1 :]
    with suppress(ValueError):
        x509.not_after(damaged)


@given(st.integers(0, len(DER) // 2))
def test_a_cut_certificate_is_a_value_error(size: int) -> None:
    with pytest.raises(ValueError):
        x509.not_after(DER[:size])


def test_certificates_are_named_by_their_place(tmp_path: Path) -> None:
    (tmp_path / "etcd").mkdir()
    for name in ("ca.crt", "etcd/server.crt"):
        (tmp_path / name).write_text(certificate_pem(CERTIFICATE))
    (tmp_path / "etcd" / "broken.crt").write_text("no certificate")
    assert set(certificates_below(str(tmp_path))) == {"ca", "etcd-server"}


def test_the_first_of_a_chain_to_end_counts(tmp_path: Path) -> None:
    later = self_signed(new_key(), NOW + timedelta(days=100))
    text = certificate_pem(later) + certificate_pem(CERTIFICATE)
    assert x509.not_after_of_pem(text) == x509.not_after(DER)


def test_a_missing_directory_or_volume_is_a_failure() -> None:
    with pytest.raises(SourceError):
        ServerCollector("/nonexistent", (), {}).collect()
    with pytest.raises(SourceError):
        ServerCollector("", (), {"data": "/nonexistent"}).collect()


def test_a_port_that_serves_nothing_is_left_out() -> None:
    assert ServerCollector("", ("1",), {}).collect().certificates == {}


def test_backup_times() -> None:
    found = backup.parse('{"full": {"last_success": 5, "last_verified": 3.5}, "diff": {}}')
    assert found == {"full": backup.Backup(5, 3.5), "diff": backup.Backup()}


def test_no_backup_yet_is_an_answer(tmp_path: Path) -> None:
    assert backup.BackupCollector(str(tmp_path / "none.json")).collect() == {
        "full": backup.Backup()
    }


@settings(max_examples=15)
@given(st.text() | st.sampled_from(['{"full": 1}', '{"full": {"last_success": "x"}}', "[]", "1"]))
def test_nonsense_about_backups_is_a_source_error(text: str) -> None:
    with suppress(SourceError):
        assert backup.parse(text)["full"].last_success >= 0


def test_expected_members_are_remembered(tmp_path: Path) -> None:
    assert ExpectedMembers(0, str(tmp_path)).seen(4) == 4
    again = ExpectedMembers(0, str(tmp_path))
    assert again.seen(3) == 4
    assert ExpectedMembers(2, str(tmp_path)).seen(3) == 2
    assert ExpectedMembers(0, "/nonexistent").seen(3) == 3
