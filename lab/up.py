"""Bring a lab up, or back to what it should be: each step looks, then does what is missing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from lab import identity, image_load, stand_in
from lab.docker import answers
from lab.errors import LabError
from lab.identity import Facts
from lab.instance import Instance, Server
from lab.mounts import EXTENSIONS, served_folders
from lab.network import ensure_network
from lab.privileges import privilege_arguments
from lab.progress import Progress, Step
from lab.scripts import run_script
from lab.server_image import ensure_base_image, ensure_product_images, ensure_server_image
from lab.servers import (
    InsideFile,
    apply_action,
    facts,
    plan_containers,
    put_files,
    remove_container,
    run,
)
from lab.site_pillar import ensure_site
from lab.together import all_of, on_each
from lab.wait import poll

PREPARED_SECONDS = 90
ENGINE_SECONDS = 90
MINIONS_SECONDS = 180
COOLIFY_SECONDS = 90
SERVER_NETWORK = "coolify"

Everyone = Mapping[Server, Facts]


def up(instance: Instance, progress: Progress, *, build_images: bool = True) -> None:
    """Start or repair the lab. Raises LabError with what to do next.

    ``build_images`` also brings the images that servers run up to date, while the servers start.
    """
    _ensure_engine(instance, progress)
    _prepare_directories(instance)
    ensure_base_image(instance.root, progress)
    with ThreadPoolExecutor(max_workers=1) as pool:
        images = pool.submit(ensure_product_images, instance, progress) if build_images else None
        _up_servers(instance, progress, wait_for_images=images.result if images else _nothing)


def _nothing() -> None:
    return None


def _up_servers(
    instance: Instance, progress: Progress, *, wait_for_images: Callable[[], None]
) -> None:
    image_id = ensure_server_image(instance.root, progress)
    _ensure_servers(instance, image_id, progress)
    everyone = _look(instance, progress)
    if _has_stale_mount(instance, everyone[instance.controller]):
        # A folder that was removed and made again is another; the container holds the old one.
        remove_container(instance.controller, gently=True)
        _ensure_servers(instance, image_id, progress)
        everyone = _look(instance, progress)
    _join(instance, everyone, progress)

    def engines_and_images() -> None:
        _ensure_engines(instance, progress)
        wait_for_images()
        _ensure_images(instance, progress)

    all_of(
        lambda: _ensure_minions(instance, progress),
        lambda: _ensure_coolify(instance, progress),
        engines_and_images,
    )


def _ensure_engine(instance: Instance, progress: Progress) -> None:
    if answers():
        return
    with progress.step("Docker Engine of this machine", long=True) as step:
        run_script(instance.root / "lab" / "engine" / "ensure-engine.sh", on_line=step.say)


def _prepare_directories(instance: Instance) -> None:
    instance.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    instance.state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    instance.state_dir.chmod(0o700)
    instance.images_dir.mkdir(parents=True, exist_ok=True)
    ensure_site(instance)


def _ensure_servers(instance: Instance, image_id: str, progress: Progress) -> None:
    with progress.step("servers") as step:
        network_id = ensure_network(instance)
        plan = plan_containers(instance, image_id=image_id, network_id=network_id)
        creates = not {"create", "recreate"}.isdisjoint(plan.values())
        rights = privilege_arguments(image_id) if creates else []
        on_each(
            instance.servers,
            lambda server: apply_action(
                instance, server, plan[server], image_id=image_id, rights=rights
            ),
        )
        step.note = _summary(plan.values())


def _summary(actions: Iterable[str]) -> str:
    counted: dict[str, int] = {}
    for action in actions:
        counted[action] = counted.get(action, 0) + 1
    words = {
        "nothing": "running already",
        "create": "created",
        "recreate": "created anew",
        "start": "started",
    }
    words |= {"connect": "connected again", "unpause": "continued"}
    return ", ".join(f"{count} {words[action]}" for action, count in counted.items())


def watched_paths(instance: Instance, server: Server) -> list[str]:
    """What `up` wants to know of a server's files and folders."""
    paths = [identity.MASTER_CONF, "/root/.ssh/authorized_keys"]
    if server.is_controller:
        paths += [f"/etc/salt/pki/master/minions/{other.host}" for other in instance.servers]
        paths += [
            f"{stand_in.DIRECTORY}/{name}"
            for name in ("known_hosts", "listen", "seed.json", "source")
        ]
        paths += [identity.SEEDED, *served_folders(instance).values()]
    return paths


def _look(instance: Instance, progress: Progress) -> Everyone:
    with progress.step("servers prepared"):
        return on_each(instance.servers, lambda server: _prepared(instance, server))


def _prepared(instance: Instance, server: Server) -> dict[str, Any]:
    def check() -> dict[str, Any] | None:
        found = facts(instance, server, *watched_paths(instance, server))
        return found if found and found["prepared"] else None

    return poll(
        check,
        deadline_s=PREPARED_SECONDS,
        otherwise=f"{server.host} was not ready within {{seconds}} s:"
        f" look at `docker logs {server.host}`, then run `up` again.",
    )


def _has_stale_mount(instance: Instance, controller: Facts) -> bool:
    return any(
        controller["paths"][target] != Path(source).stat().st_ino
        for source, target in served_folders(instance).items()
    )


def _join(instance: Instance, everyone: Everyone, progress: Progress) -> None:
    with progress.step("keys and services") as step:
        wanted = _wanted_files(instance, everyone)
        written = on_each(
            instance.servers,
            lambda server: _converge(instance, server, wanted[server], everyone[server]),
        )
        count = sum(len(files) for files in written.values())
        step.note = f"{count} files written" if count else "as they should be"


def _wanted_files(instance: Instance, everyone: Everyone) -> dict[Server, list[InsideFile]]:
    controller = everyone[instance.controller]
    wanted = {
        server: identity.server_files(instance, server, controller) for server in instance.servers
    }
    code = stand_in.hash_of(*(instance.root / name for name in EXTENSIONS))
    wanted[instance.controller] += identity.master_files(everyone, code)
    if stand_in.is_there(instance):
        wanted[instance.controller] += stand_in.stand_in_files(instance, everyone)
    return wanted


def _converge(
    instance: Instance, server: Server, wanted: Sequence[InsideFile], seen: Facts
) -> list[InsideFile]:
    written = identity.changed(wanted, seen)
    if written:
        put_files(instance, server, written)
    restart, start = service_actions([file.path for file in written], seen["services"])
    commands = [f"sv -w 30 restart /run/service/{name}" for name in restart]
    commands += [f"sv start /run/service/{name}" for name in start]
    if "salt-minion" in restart:
        # The key of a former master would be believed more than the new fingerprint.
        commands.insert(0, f"rm -f {identity.MASTER_PUBLIC_KEY_SEEN}")
    if commands:
        # What does not start is found by the checks that follow, which know what to say about it.
        run(instance, server, ["bash", "-c", "; ".join(commands)])
    return written


def service_actions(
    written: Sequence[str], services: Mapping[str, str]
) -> tuple[list[str], list[str]]:
    """Services to restart, because a file of theirs changed, and those to start: they are down."""
    restart = []
    if identity.MASTER_CONF in written:
        restart.append("salt-minion")
    if identity.SEEDED in written:
        restart.append("salt-master")
    if any(path.startswith(stand_in.DIRECTORY) for path in written):
        restart.append("coolify")
    start = [name for name, state in services.items() if state != "run" and name not in restart]
    return [name for name in restart if name in services], start


def _ensure_minions(instance: Instance, progress: Progress) -> None:
    with progress.step("Salt: every minion answers"):
        hosts = [server.host for server in instance.servers]
        command = ["wait-minions", str(MINIONS_SECONDS), *hosts]
        done = run(instance, instance.controller, command, timeout_s=MINIONS_SECONDS + 60)
    if done.returncode:
        silent = ", ".join(done.stdout.split()) or "every minion"
        raise LabError(
            f"{silent} did not answer Salt within {MINIONS_SECONDS} s: look at /var/log/salt/minion"
            f" there and /var/log/salt/master on {instance.controller.host}, then run `up` again."
        )


def _ensure_coolify(instance: Instance, progress: Progress) -> None:
    if not stand_in.is_there(instance):
        return
    host = instance.controller.host
    with progress.step("Coolify stand-in answers"):
        poll(
            lambda: stand_in.answers(instance),
            deadline_s=COOLIFY_SECONDS,
            otherwise=f"{host}: the Coolify stand-in did not answer within {{seconds}} s: look at"
            f" `docker exec {host} tail -50 /var/log/coolify/current`, then run `up` again.",
        )


def _ensure_engines(instance: Instance, progress: Progress) -> None:
    with progress.step("engines of the servers"):
        on_each(instance.servers, lambda server: _ensure_server_engine(instance, server))


def _ensure_images(instance: Instance, progress: Progress) -> None:
    archives = image_load.archives(instance)
    seen = on_each(instance.servers, lambda server: _engine_facts(instance, server))
    work = {server: image_load.missing(archives, found["images"]) for server, found in seen.items()}
    total = sum(len(missing) for missing in work.values())
    if total:
        with progress.step("images into the servers' engines", long=True) as step:
            _load_all(instance, work, total, step)


def _load_all(
    instance: Instance, work: Mapping[Server, Sequence[image_load.Archive]], total: int, step: Step
) -> None:
    loaded: list[str] = []

    def load(server: Server) -> None:
        for archive in work[server]:
            image_load.load(instance, server, archive)
            loaded.append(archive.path.name)
            step.note = f"{len(loaded)} of {total}"

    on_each(work, load)


def _ensure_server_engine(instance: Instance, server: Server) -> None:
    found = _engine_facts(instance, server)
    if SERVER_NETWORK in found["networks"]:
        return
    # As Coolify's installer does it.
    made = run(instance, server, ["docker", "network", "create", "--attachable", SERVER_NETWORK])
    if made.returncode:
        raise LabError(
            f"{server.host}: no network {SERVER_NETWORK}: {made.stderr.strip()}; run `up` again."
        )


def _engine_facts(instance: Instance, server: Server) -> dict[str, Any]:
    def check() -> dict[str, Any] | None:
        found = facts(instance, server)
        return found if found and found["engine"] else None

    return poll(
        check,
        deadline_s=ENGINE_SECONDS,
        otherwise=f"{server.host}: its Docker Engine did not answer within {{seconds}} s: look at"
        f" `docker exec {server.host} tail -50 /var/log/dockerd/current`, then run `up` again.",
    )
