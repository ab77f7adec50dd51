"""The programs themselves read what we wrote; needs the images of this product."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from datetime import datetime, timezone
from pathlib import Path

import pytest

from pgha import certificates
from pgha.render.files import files_for
from tests.unit.render.samples import secrets, topology

KEY = certificates.new_key()
CERTIFICATE = certificates.self_signed(KEY, datetime.now(timezone.utc))


@pytest.fixture(scope="module", autouse=True)
def images():
    """Absent images are a failure: skipped tests would look like accepted configurations."""
    if not shutil.which("docker"):
        pytest.fail("docker is not installed: run lab/engine/ensure-engine.sh")
    for image in (topology().images.router, topology().images.patroni):
        if subprocess.run(["docker", "image", "inspect", image], capture_output=True).returncode:
            pytest.fail(f"the image {image} is not built: run images/build.sh")


@pytest.fixture
def mount():
    """Write one component's files of the first node; returns its directory."""
    # Not pytest's folder, which only its owner can enter: the containers' users are others.
    root = Path(tempfile.mkdtemp(prefix="pgha-native-"))
    root.chmod(0o755)

    def write(component):
        cluster = topology()
        directory = root / component
        directory.mkdir(mode=0o755)
        for file in files_for(cluster, cluster.nodes[0], secrets()):
            if Path(file.path).parent.name == component:
                target = directory / Path(file.path).name
                target.write_text(_usable(file.content))
                # The container's user is not the owner here, and these secrets are not any.
                target.chmod(0o644 | file.mode & 0o111)
        return directory

    yield write
    shutil.rmtree(root)


def _usable(content):
    """Real certificates and keys in place of the samples, which the programs would refuse."""
    if content.startswith("CANARY-key"):
        return certificates.key_pem(KEY)
    if content.startswith(("certificate ", "the CA")):
        return certificates.certificate_pem(CERTIFICATE)
    return content


def _run(image, directory, *command):
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
    done = _run(image, mount("patroni"), "patroni", "--validate-config", "/etc/pgha/patroni.yml")
    problems = (done.stdout + done.stderr).strip().splitlines()
    assert [line for line in problems if not line.endswith(":2379 is not reachable")] == []
    assert len(problems) == 3


def test_patronis_answers_do_not_wait_for_an_acknowledgement(mount):
    ask = "from patroni.api import RestApiHandler as R; print(R.disable_nagle_algorithm)"
    done = _run(topology().images.patroni, mount("patroni"), "/opt/patroni/bin/python", "-c", ask)
    assert (done.stdout.strip(), done.stderr) == ("True", "")


def test_pgbouncer_starts_and_knows_every_setting(mount):
    image = topology().images.router
    done = _run(image, mount("router"), "timeout", "2", "pgbouncer", "/etc/pgha/pgbouncer.ini")
    assert "process up: PgBouncer 1.24" in done.stderr
    assert not [line for line in done.stderr.splitlines() if " ERROR " in line or "WARN" in line]
