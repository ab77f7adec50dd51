"""The image of a server: built when an input changed, from packages checked on the way in."""

from __future__ import annotations

import hashlib
import io
import platform
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from pathlib import Path

from lab.docker import docker, inspect, last_line
from lab.errors import LabError
from lab.instance import Instance
from lab.progress import Progress
from lab.scripts import run_script
from lab.together import all_of

TAG = "pgha/server:1"
BASE = "pgha/base:trixie-1"
PYTHON = "3.13"
BUILD_SECONDS = 900

_INPUTS_LABEL = "pgha.inputs"
_LOCKED_IN = {"salt": "server", "coolify": "coolify"}


def ensure_base_image(root: Path, progress: Progress) -> None:
    """The image that all others are built on, brought up to date before any of them is.

    Raises LabError when it cannot be built.
    """
    with progress.step("base image") as step:
        run_script(root / "lab" / "engine" / "base-image.sh", on_line=step.say)
        step.say("")


def ensure_product_images(instance: Instance, progress: Progress) -> None:
    """What servers run: built when an input changed, and saved where the servers can load it."""
    with progress.step("images of etcd, Patroni and the router") as step:
        run_script(instance.root / "images" / "build.sh", on_line=step.say)
        run_script(instance.root / "images" / "save.sh", str(instance.images_dir), on_line=step.say)
        step.say("")


def ensure_server_image(root: Path, progress: Progress) -> str:
    """The id of an image that fits this checkout, built first when there is none.

    Raises LabError when a package cannot be had or the build fails.
    """
    found = inspect("image", TAG, BASE)
    inputs = inputs_hash(root, str(found[BASE]["Id"]))
    image = found.get(TAG)
    if image and (image["Config"]["Labels"] or {}).get(_INPUTS_LABEL) == inputs:
        return str(image["Id"])
    built = _build(root, inputs, progress)
    if image and image["Id"] != built:
        # In vain while a server still runs it; its layers are the next build's cache.
        docker("image", "rm", "--no-prune", str(image["Id"]), check=False)
    return built


def context_files(root: Path) -> dict[str, Path]:
    """What the build sees, without the wheels: name in the context -> file."""
    server = root / "lab" / "server"
    files = {
        str(path.relative_to(server)): path
        for path in sorted(server.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }
    files["coolify-requirements.txt"] = root / "lab" / "coolify" / "requirements.txt"
    return files


def inputs_hash(root: Path, base_id: str) -> str:
    """Changes with every file the image is built from, and with its base."""
    digest = hashlib.sha256(base_id.encode())
    for name, path in sorted(context_files(root).items()):
        digest.update(f"\0{name}\0{_mode(path):o}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _mode(path: Path) -> int:
    return 0o755 if path.stat().st_mode & 0o100 else 0o644


def _build(root: Path, inputs: str, progress: Progress) -> str:
    packages: dict[str, Path] = {}

    def download() -> None:
        for name, lock in _locks(root).items():
            packages[name] = _ensure_packages(root, name, lock, progress)

    with progress.step("server image", long=True):
        # Most of the time goes into apt and pip, each waiting for its own registry.
        all_of(download, lambda: _docker_build(_context(root, {}), "--target", "system"))
        _docker_build(
            _context(root, packages), "--tag", TAG, "--label", f"{_INPUTS_LABEL}={inputs}"
        )
    return str(inspect("image", TAG)[TAG]["Id"])


def _docker_build(context: bytes, *options: str) -> None:
    arguments = ["build", "--quiet", "--build-arg", f"BASE={BASE}", *options, "-"]
    built = docker(*arguments, stdin=context, timeout_s=BUILD_SECONDS, check=False)
    if built.returncode:
        raise LabError(f"The image {TAG} was not built: {last_line(built.stderr)}")


def _context(root: Path, packages: Mapping[str, Path]) -> bytes:
    files = context_files(root)
    for name, folder in packages.items():
        files |= {f"{name}-packages/{path.name}": path for path in sorted(folder.iterdir())}
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name, path in files.items():
            entry = tarfile.TarInfo(name)
            entry.mode, entry.size = _mode(path), path.stat().st_size
            with path.open("rb") as content:
                tar.addfile(entry, content)
    return archive.getvalue()


def _locks(root: Path) -> dict[str, Path]:
    return {name: root / "lab" / folder / "requirements.txt" for name, folder in _LOCKED_IN.items()}


def _ensure_packages(root: Path, name: str, lock: Path, progress: Progress) -> Path:
    """The packages of a lock file, downloaded on the machine: the build itself asks no registry."""
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()[:12]
    packages = root / ".cache" / "wheels" / f"{name}-{digest}"
    if packages.is_dir():
        return packages
    partial = packages.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    with progress.step(f"Python packages for {name}", long=True):
        _download(lock, partial)
    partial.rename(packages)
    return packages


def _download(lock: Path, target: Path) -> None:
    machine = platform.machine()
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
    command += ["--python-version", PYTHON, "--dest", str(target), "--requirement", str(lock)]
    for platform_tag in ("manylinux2014", "manylinux_2_17", "manylinux_2_28"):
        command += ["--platform", f"{platform_tag}_{machine}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LabError(
            f"pip could not download {lock.parent.name}/{lock.name}: {last_line(done.stderr)}"
        )
