"""Image archives, and when the server image is built anew."""

from __future__ import annotations

import io
import json
import shutil
import tarfile
from pathlib import Path

import pytest

from lab.errors import LabError
from lab.image_load import Archive, archives, missing, read_archive
from lab.instance import ROOT, Instance
from lab.server_image import context_files, inputs_hash


def save(path: Path, config: str, *tags: str) -> Path:
    manifest = json.dumps([{"Config": config, "RepoTags": list(tags), "Layers": []}]).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        entry = tarfile.TarInfo("manifest.json")
        entry.size = len(manifest)
        tar.addfile(entry, io.BytesIO(manifest))
    return path


@pytest.mark.parametrize("config", ["abc.json", "blobs/sha256/abc"])
def test_archive_names_images_of_old_and_new_engines(tmp_path: Path, config: str) -> None:
    archive = read_archive(save(tmp_path / "x.tar", config, "pgha/etcd:1"))
    assert archive.images == {"pgha/etcd:1": "sha256:abc"}


def test_what_is_no_archive_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.tar").write_text("half a download")
    with pytest.raises(LabError, match=r"x\.tar is no image archive: remove it"):
        read_archive(tmp_path / "x.tar")


def test_only_finished_archives_are_loaded(instance: Instance) -> None:
    save(instance.images_dir / "a.tar", "a.json", "a:1")
    (instance.images_dir / "b.tar.new").write_text("being written")
    assert [archive.path.name for archive in archives(instance)] == ["a.tar"]


@pytest.mark.parametrize(
    ("present", "loads"),
    [({}, 1), ({"a:1": "sha256:a"}, 0), ({"a:1": "sha256:old"}, 1), ({"b:1": "sha256:a"}, 1)],
)
def test_an_archive_is_loaded_when_the_very_image_is_not_there(
    present: dict[str, str], loads: int
) -> None:
    archive = Archive(Path("a.tar"), {"a:1": "sha256:a"})
    assert len(missing([archive], present)) == loads


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "lab" / "server", tmp_path / "lab" / "server")
    (tmp_path / "lab" / "coolify").mkdir()
    shutil.copy(ROOT / "lab" / "coolify" / "requirements.txt", tmp_path / "lab" / "coolify")
    return tmp_path


def test_image_is_built_anew_when_an_input_changes(checkout: Path) -> None:
    before = inputs_hash(checkout, "base")
    assert inputs_hash(checkout, "base") == before
    assert inputs_hash(checkout, "newer base") != before
    init = checkout / "lab" / "server" / "rootfs" / "usr" / "local" / "sbin" / "server-init"
    init.write_text(init.read_text() + "\n# changed\n")
    assert inputs_hash(checkout, "base") != before


def test_context_has_what_the_dockerfile_copies() -> None:
    names = context_files(ROOT)
    assert {"Dockerfile", "requirements.txt", "coolify-requirements.txt", "build-salt-env"} <= set(
        names
    )
    assert not [name for name in names if "__pycache__" in name]


@pytest.mark.parametrize("folder", ["server", "coolify"])
def test_locks_pin_hashes_and_name_no_address(folder: str) -> None:
    text = (ROOT / "lab" / folder / "requirements.txt").read_text()
    assert "--hash=sha256:" in text
    assert "://" not in text
    assert "index-url" not in text
