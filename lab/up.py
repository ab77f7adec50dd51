"""Bring a lab up, or back to what it should be: each step looks, then does what is missing."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lab import stand_in
from lab.docker import answers
from lab.errors import LabError
from lab.identity import Facts
from lab.instance import Instance
from lab.joining import join, look
from lab.mounts import served_folders
from lab.network import ensure_network
from lab.privileges import privilege_arguments
from lab.progress import Progress
from lab.scripts import run_script
from lab.server_engines import ensure_engines, ensure_images
from lab.server_image import ensure_base_image, ensure_product_images, ensure_server_image
from lab.servers import apply_action, plan_containers, remove_container, run
from lab.site_pillar import ensure_site
from lab.together import all_of, on_each
from lab.wait import poll

MINIONS_SECONDS = 180
COOLIFY_SECONDS = 90


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
    everyone = look(instance, progress)
    if _has_stale_mount(instance, everyone[instance.controller]):
        # A folder that was removed and made again is another; the container holds the old one.
        remove_container(instance.controller, gently=True)
        _ensure_servers(instance, image_id, progress)
        everyone = look(instance, progress)
    join(instance, everyone, progress)

    def engines_and_images() -> None:
        ensure_engines(instance, progress)
        wait_for_images()
        ensure_images(instance, progress)

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


def _has_stale_mount(instance: Instance, controller: Facts) -> bool:
    return any(
        controller["paths"][target] != Path(source).stat().st_ino
        for source, target in served_folders(instance).items()
    )


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
