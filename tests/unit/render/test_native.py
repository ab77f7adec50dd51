"""The programs themselves read what we wrote; needs the images of this product."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from pgha.render.files import files_for
from tests.unit.render.samples import secrets, topology

pytestmark = pytest.mark.lab


@pytest.fixture
def mount(tmp_path):
    """Write one component's files of the first node; returns its directory."""

    def write(component):
        cluster = topology()
        directory = tmp_path / component
        directory.mkdir(mode=0o755)
        for file in files_for(cluster, cluster.nodes[0], secrets()):
            if Path(file.path).parent.name == component:
                target = directory / Path(file.path).name
                target.write_text(_usable(file.content))
                # The container's user is not the owner here, and these secrets are not any.
                target.chmod(0o644)
        tmp_path.chmod(0o755)
        return directory

    return write


def _usable(content):
    """A real certificate where a program insists on one: Debian's images carry none, so make one."""
    return _CERTIFICATE if content == secrets()["pgha"]["ca_crt"] else content


def _self_signed():
    from datetime import datetime, timezone

    from pgha import certificates

    key = certificates.new_key()
    return certificates.certificate_pem(certificates.self_signed(key, datetime.now(timezone.utc)))


_CERTIFICATE = _self_signed()


def _run(image, directory, *command):
    if not shutil.which("docker"):
        pytest.skip("docker is not installed")
    if subprocess.run(["docker", "image", "inspect", image], capture_output=True).returncode:
        pytest.skip(f"the image {image} is not built")
    return subprocess.run(
        ["docker", "run", "--rm", "--network", "none", "--read-only", "--tmpfs", "/tmp",
         "--volume", f"{directory}:/etc/pgha:ro", "--entrypoint", command[0], image, *command[1:]],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("component", "config"), [("router", "haproxy.cfg"), ("restapi", "restapi.cfg")]
)
def test_haproxy_accepts_its_configuration(mount, component, config):
    image = topology().images.router
    done = _run(image, mount(component), "haproxy", "-c", "-f", f"/etc/pgha/{config}")
    assert (done.returncode, done.stderr) == (0, "")


def test_patroni_objects_only_that_etcd_is_not_there(mount):
    image = topology().images.patroni
    directory = mount("patroni")
    done = _run(image, directory, "patroni", "--validate-config", "/etc/pgha/patroni.yml")
    problems = [line for line in done.stdout.splitlines() if line and "not reachable" not in line]
    assert problems == []
    assert "etcd3.hosts" in done.stdout


def test_pgbouncer_knows_every_setting(mount):
    image = topology().images.router
    done = _run(image, mount("router"), "timeout", "2", "pgbouncer", "/etc/pgha/pgbouncer.ini")
    # The sample key is no key: TLS is where it has to end, after the whole file was read.
    assert "unknown parameter" not in done.stderr
    assert "TLS setup failed: failed to load private key" in done.stderr
