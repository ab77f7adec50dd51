from __future__ import annotations

import base64
import dataclasses
import hashlib
import hmac
import os
import signal
from pathlib import Path

import pytest

from pgha import bcrypt
from pgha.errors import ConflictError, DamagedStateError, NotFoundError
from pgha.secrets import PASSWORDS, POSTGRESQL_ROLES, SecretStore, scram_sha_256
from pgha.topology import Topology
from tests.unit.library.together import in_a_process_of_its_own, together

FILES = {f"postgresql/{name}_password.txt" for name in PASSWORDS} | {"postgresql/salt.key"}


@pytest.fixture
def store(tmp_path: Path, topology: Topology) -> SecretStore:
    return SecretStore.of(tmp_path / "state", topology)


def test_first_run_creates_what_users_know(store: SecretStore, topology: Topology) -> None:
    assert set(store.missing(topology)) == FILES
    assert set(store.ensure_all(topology)) == FILES
    assert store.missing(topology) == []


def test_second_run_changes_nothing(store: SecretStore, topology: Topology) -> None:
    store.ensure_all(topology)
    before = {name: store.read(name) for name in PASSWORDS}

    assert store.ensure_all(topology) == []
    assert {name: store.read(name) for name in PASSWORDS} == before


def test_passwords_are_32_letters_and_digits_and_all_different(
    store: SecretStore, topology: Topology
) -> None:
    store.ensure_all(topology)
    passwords = {store.read(name) for name in PASSWORDS}

    assert len(passwords) == len(PASSWORDS)
    assert all(len(each) == 32 and each.isalnum() and each.isascii() for each in passwords)


def test_only_the_owner_can_read(store: SecretStore, topology: Topology) -> None:
    before = os.umask(0)
    try:
        store.ensure_all(topology)
    finally:
        os.umask(before)
    modes = {path.stat().st_mode & 0o777 for path in store.root.rglob("*") if path.is_file()}
    folders = [store.root, store.root / "postgresql"]

    assert modes == {0o600}
    assert [folder.stat().st_mode & 0o777 for folder in folders] == [0o700, 0o700]


def test_permissions_opened_by_hand_are_closed_again(
    store: SecretStore, topology: Topology
) -> None:
    store.ensure_all(topology)
    path = store.root / "postgresql/app_password.txt"
    path.chmod(0o644)

    assert store.ensure_all(topology) == []
    assert path.stat().st_mode & 0o777 == 0o600


def test_an_operators_own_password_is_kept(store: SecretStore, topology: Topology) -> None:
    path = store.root / "postgresql/app_password.txt"
    path.parent.mkdir(parents=True)
    path.write_text("chosen-by-hand.2026\n")

    assert "postgresql/app_password.txt" not in store.ensure_all(topology)
    assert store.read("app") == "chosen-by-hand.2026"


@pytest.mark.parametrize(
    "content", ["", "\n", "short", "with space in it", "a'; DROP--xxxxxx", "é" * 16]
)
def test_an_unusable_password_is_named_and_not_shown(
    store: SecretStore, topology: Topology, content: str
) -> None:
    store.ensure_all(topology)
    path = store.root / "postgresql/app_password.txt"
    path.write_text(content)

    with pytest.raises(
        DamagedStateError, match=r"password of app in .*app_password\.txt"
    ) as caught:
        store.ensure_all(topology)
    assert not content.strip() or content not in str(caught.value)


def test_two_runs_at_once_agree(store: SecretStore, topology: Topology) -> None:
    def run() -> tuple[list[str], dict[str, str]]:
        created = store.ensure_all(topology)
        return created, {name: store.read(name) for name in PASSWORDS}

    results = together(6, run)

    created = [name for names, _ in results for name in names]
    assert sorted(created) == sorted(FILES), "each file is created by exactly one run"
    assert all(passwords == results[0][1] for _, passwords in results)
    assert not list(store.root.rglob(".tmp-*"))


def test_a_killed_run_leaves_no_half_file(
    store: SecretStore, topology: Topology, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed() -> None:
        monkeypatch.setattr(os, "fsync", lambda _: os.kill(os.getpid(), signal.SIGKILL))
        store.ensure_all(topology)

    assert in_a_process_of_its_own(killed) == -signal.SIGKILL
    assert not list(store.root.rglob("*.txt"))
    assert set(store.ensure_all(topology)) == FILES


def test_a_full_disk_leaves_nothing(
    store: SecretStore, topology: Topology, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        store.ensure_all(topology)
    assert [path for path in store.root.rglob("*") if path.is_file()] == []


def test_verifier_answers_the_login_of_rfc_7677() -> None:
    """Section 3: user "user", password "pencil"; the server proves itself with v=..."""
    salt = base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")
    nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
    exchange = (
        f"n=user,r=rOprNGfwEbeRWgbNEkqO,r={nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r={nonce}"
    ).encode()

    mechanism, middle, keys = scram_sha_256("pencil", salt).split("$")
    stored_key, server_key = (base64.b64decode(key) for key in keys.split(":"))

    assert (mechanism, middle) == ("SCRAM-SHA-256", "4096:W22ZaJ0SNY7soEsUEjb6gQ==")
    signature = base64.b64encode(hmac.digest(server_key, exchange, "sha256"))
    assert signature == b"6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
    proof = base64.b64decode("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")
    client_signature = hmac.digest(stored_key, exchange, "sha256")
    client_key = bytes(a ^ b for a, b in zip(proof, client_signature, strict=True))
    assert hashlib.sha256(client_key).digest() == stored_key


def test_verifiers_are_repeatable_and_differ_by_role(
    store: SecretStore, topology: Topology
) -> None:
    store.ensure_all(topology)
    first = {role: store.scram_verifier(role) for role in POSTGRESQL_ROLES}

    assert first == {role: store.scram_verifier(role) for role in POSTGRESQL_ROLES}
    salts = {verifier.split("$")[1] for verifier in first.values()}
    assert len(salts) == len(POSTGRESQL_ROLES)
    assert store.read("app") not in first["app"]


def test_a_new_password_gets_a_new_verifier(store: SecretStore, topology: Topology) -> None:
    store.ensure_all(topology)
    before = store.scram_verifier("app")
    (store.root / "postgresql/app_password.txt").write_text("another.password\n")

    assert store.scram_verifier("app").split("$")[1] != before.split("$")[1]


def test_restapi_has_no_verifier(store: SecretStore, topology: Topology) -> None:
    store.ensure_all(topology)
    with pytest.raises(NotFoundError, match="'restapi' is not a role with a verifier"):
        store.scram_verifier("restapi")


def test_reading_before_the_first_deploy(store: SecretStore) -> None:
    with pytest.raises(NotFoundError, match="password of app does not exist yet"):
        store.read("app")


@pytest.mark.parametrize("name", ["root", "../pki/ca.key"])
def test_only_known_names_are_read(store: SecretStore, name: str) -> None:
    with pytest.raises(NotFoundError, match="There is no password"):
        store.read(name)


def test_a_further_cluster_has_its_own_folder(tmp_path: Path, topology: Topology) -> None:
    billing = dataclasses.replace(topology, cluster="billing", is_default=False)
    store = SecretStore.of(tmp_path, billing)

    assert "clusters/billing/postgresql/app_password.txt" in store.ensure_all(billing)
    assert (tmp_path / "clusters").stat().st_mode & 0o777 == 0o700


def test_a_store_of_another_cluster_is_refused(tmp_path: Path, topology: Topology) -> None:
    """Otherwise a wrong call would make a second set of passwords in a second place."""
    with pytest.raises(ConflictError, match=r"SecretStore\.of finds the right place"):
        SecretStore(tmp_path, topology.cluster).ensure_all(topology)
    assert list(tmp_path.iterdir()) == []


def test_token_of_coolify(store: SecretStore) -> None:
    assert store.coolify_token() is None
    path = store.state_dir / "coolify/token"
    path.parent.mkdir(parents=True)
    path.write_text("1|abc\n")

    assert store.coolify_token() == "1|abc"
    assert SecretStore(store.state_dir, "billing").coolify_token() == "1|abc"


def test_nothing_secret_in_a_repr(store: SecretStore, topology: Topology) -> None:
    store.ensure_all(topology)

    assert not any(store.read(name) in repr(store) + str(store) for name in PASSWORDS)


def test_a_web_hash_is_that_of_the_password_and_stays_the_same(
    tmp_path: Path, topology: Topology
) -> None:
    store = SecretStore(tmp_path)
    store.ensure_all(topology)
    text = store.bcrypt_hash("exporter")
    assert bcrypt.verify(store.read("exporter"), text)
    assert store.bcrypt_hash("exporter") == text
