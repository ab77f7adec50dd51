"""Which rights a server's container gets: decided by trying, because machines differ.

``--privileged`` asks for every capability and fails where the machine itself lacks one. The list
below is what a Docker Engine inside a container needs at least (tried on cgroup v1).
"""

from __future__ import annotations

from lab.docker import docker

_CAPABILITIES = (
    "SYS_ADMIN",
    "NET_ADMIN",
    "NET_RAW",
    "SYS_PTRACE",
    "SYS_CHROOT",
    "MKNOD",
    "DAC_READ_SEARCH",
    "SYSLOG",
    "IPC_LOCK",
    "SYS_NICE",
    "LEASE",
    "LINUX_IMMUTABLE",
)
_CGROUP_V1 = ("--volume", "/sys/fs/cgroup:/sys/fs/cgroup:rw")
_CGROUP_V2 = ("--cgroupns", "private")


def privilege_arguments(image: str) -> list[str]:
    """The docker arguments for this machine; ``image`` is run once to find out."""
    version = docker("info", "--format", "{{.CgroupVersion}}").stdout.strip()
    return choose(cgroup_version=version, privileged_works=_privileged_works(image))


def choose(*, cgroup_version: str, privileged_works: bool) -> list[str]:
    """The docker arguments for a machine with these properties."""
    cgroup = _CGROUP_V2 if cgroup_version == "2" else _CGROUP_V1
    if privileged_works:
        return ["--privileged", *cgroup]
    arguments = [f"--cap-add={capability}" for capability in _CAPABILITIES]
    for option in ("seccomp=unconfined", "apparmor=unconfined", "systempaths=unconfined"):
        arguments += ["--security-opt", option]
    return [*arguments, "--device-cgroup-rule", "a *:* rwm", *cgroup]


def _privileged_works(image: str) -> bool:
    trial = docker(
        "run",
        "--rm",
        "--privileged",
        "--network",
        "none",
        "--entrypoint",
        "/bin/true",
        image,
        check=False,
    )
    return trial.returncode == 0
