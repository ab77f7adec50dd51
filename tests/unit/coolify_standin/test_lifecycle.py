"""Start, stop, delete and what the status says meanwhile (contract 4, 5 and its live findings)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.contract.compose import encoded
from tests.contract.loopback import serve
from tests.unit.coolify_standin.conftest import ONE, TWO, Stacks


def until_starting(stacks: Stacks, uuid: str) -> None:
    """Poll, bounded by requests: each one gives the server's loop a turn."""
    for _ in range(500):
        if stacks.status(uuid) == "starting:unhealthy":
            return
    pytest.fail("never starting")


def test_timeline_of_a_first_start(stacks: Stacks) -> None:
    uuid = stacks.create()
    assert stacks.status(uuid) == "exited"
    stacks.server.host.hold.clear()
    assert stacks.post(uuid, "start") == 200
    until_starting(stacks, uuid)
    stacks.server.host.hold.set()
    stacks.server.settle()
    assert stacks.status(uuid) == "exited", "stored, not observed"
    assert len(stacks.containers(uuid)) == 2
    stacks.server.status_pass()
    assert stacks.status(uuid) == "running:unknown"
    assert stacks.read(uuid)["config_hash"]


def test_files_are_on_the_server_before_up(stacks: Stacks) -> None:
    uuid = stacks.running()
    folder = f"/data/coolify/services/{uuid}"
    assert stacks.host.files[f"{folder}/docker-compose.yml"] == stacks.read(uuid)["docker_compose"]
    assert stacks.host.files[f"{folder}/.env"] == "SERVICE_NAME_A=a\nSERVICE_NAME_B=b"
    script = stacks.server.host.ran(" up -d")[0]
    assert script.index("tee") < script.index("network create") < script.index(" up -d")
    assert "--force-recreate" in script


def test_a_failed_start_leaves_no_trace(stacks: Stacks) -> None:
    uuid = stacks.create("services:\n  a:\n    image: missing.invalid/x:1\n")
    assert stacks.post(uuid, "start") == 200
    stacks.server.settle()
    stacks.server.status_pass()
    assert stacks.status(uuid) == "exited"


def test_start_while_running_and_stop_while_exited(stacks: Stacks) -> None:
    uuid = stacks.create()
    assert stacks.post(uuid, "stop") == 400
    stacks.post(uuid, "start")
    stacks.server.settle()
    assert stacks.post(uuid, "stop") == 400, "until the first status pass"
    assert stacks.post(uuid, "start") == 200, "while the stored status is exited"
    stacks.server.settle()
    stacks.server.status_pass()
    assert stacks.post(uuid, "start") == 400


def test_every_start_recreates_and_one_service_alone_only_when_changed(stacks: Stacks) -> None:
    uuid = stacks.running()
    first = {name: item.id for name, item in stacks.containers(uuid).items()}
    stacks.server.call("PATCH", f"/services/{uuid}", {"instant_deploy": True})
    stacks.server.settle()
    second = {name: item.id for name, item in stacks.containers(uuid).items()}
    assert not set(first.values()) & set(second.values())
    app = stacks.read(uuid)["applications"][0]["uuid"]
    stacks.server.call("POST", f"/services/{uuid}/applications/{app}/start")
    stacks.server.settle()
    assert {name: item.id for name, item in stacks.containers(uuid).items()} == second
    stacks.server.call("POST", f"/services/{uuid}/envs", {"key": "NEW", "value": "1"})
    stacks.server.call("POST", f"/services/{uuid}/applications/{app}/start")
    stacks.server.settle()
    third = {name: item.id for name, item in stacks.containers(uuid).items()}
    assert [name for name in third if third[name] != second[name]] == [f"a-{uuid}"]


def test_stop_removes_containers_and_keeps_images(stacks: Stacks) -> None:
    uuid = stacks.running()
    assert stacks.post(uuid, "stop?docker_cleanup=false") == 200
    stacks.server.settle()
    assert stacks.status(uuid) == "exited"
    assert stacks.containers(uuid) == {}
    assert {"x:1", "y:1"} <= stacks.host.images


def test_stop_cleans_the_whole_host_by_default(stacks: Stacks) -> None:
    stacks.host.images.add("somebody/else:1")
    uuid = stacks.running()
    stacks.post(uuid, "stop")
    stacks.server.settle()
    assert stacks.host.images == set()


def test_restart_stops_first(stacks: Stacks) -> None:
    uuid = stacks.running()
    assert stacks.post(uuid, "restart") == 200
    stacks.server.settle()
    ran = [script for _, script in stacks.server.host.scripts]
    stopped = next(n for n, script in enumerate(ran) if script.startswith("docker stop"))
    assert any(" up -d" in script for script in ran[stopped:])


def test_delete_is_seen_as_200_until_it_is_done(stacks: Stacks) -> None:
    uuid = stacks.running()
    stacks.server.host.hold.clear()
    stacks.server.call("PATCH", f"/services/{uuid}", {"instant_deploy": True})
    until_starting(stacks, uuid)
    answer = stacks.server.call("DELETE", f"/services/{uuid}?docker_cleanup=false")
    assert answer.json() == {"message": "Service deletion request queued."}
    stacks.server.host.hold.set()
    stacks.server.settle()
    assert stacks.server.call("GET", f"/services/{uuid}").status_code == 404


def test_delete_flags(stacks: Stacks) -> None:
    keep, drop = stacks.running(), stacks.running()
    flags = "docker_cleanup=false&delete_configurations=false"
    stacks.server.call("DELETE", f"/services/{keep}?{flags}")
    stacks.server.call("DELETE", f"/services/{drop}?docker_cleanup=false")
    stacks.server.settle()
    left = {path.split("/")[4] for path in stacks.host.files}
    assert left == {keep}
    assert {"x:1", "y:1"} <= stacks.host.images


def test_leftover_of_a_refused_url_takes_the_images_at_the_next_deletion(stacks: Stacks) -> None:
    """Live finding 1: docker_cleanup=false alone is not safe."""
    stacks.host.images.add("kept:1")
    urls = [{"name": "nosuch", "url": "http://a.test"}]
    refused = stacks.server.call("POST", "/services", stacks.body(urls=urls))
    assert refused.status_code == 422
    uuid = stacks.create()
    stacks.server.call("DELETE", f"/services/{uuid}?docker_cleanup=false")
    stacks.server.settle()
    assert "kept:1" not in stacks.host.images


def test_removed_service_stays_as_a_row_and_spoils_the_status(stacks: Stacks) -> None:
    uuid = stacks.running()
    change = {"docker_compose_raw": encoded(ONE), "instant_deploy": True}
    stacks.server.call("PATCH", f"/services/{uuid}", change)
    stacks.server.settle()
    stacks.server.status_pass()
    assert stacks.status(uuid) == "degraded:unhealthy"
    gone = stacks.read(uuid)["applications"][1]["uuid"]
    path = f"/services/{uuid}/applications/{gone}"
    stacks.server.call("PATCH", path, {"exclude_from_status": True})
    assert stacks.status(uuid) == "running:healthy"
    assert "y:1" in stacks.read(uuid)["docker_compose_raw"], "live finding 2: written back"


def test_stop_with_a_removed_service_removes_nothing(stacks: Stacks) -> None:
    uuid = stacks.running()
    change = {"docker_compose_raw": encoded(ONE), "instant_deploy": True}
    stacks.server.call("PATCH", f"/services/{uuid}", change)
    stacks.server.settle()
    stacks.server.status_pass()
    stacks.server.call("DELETE", f"/services/{uuid}?docker_cleanup=false")
    stacks.server.settle()
    assert stacks.server.call("GET", f"/services/{uuid}").status_code == 404
    assert [item.state for item in stacks.containers(uuid).values()] == ["exited"]


def test_unreachable_server(stacks: Stacks) -> None:
    uuid = stacks.running()
    stacks.host.reachable = False
    stacks.server.status_pass()
    body = stacks.read(uuid)
    assert (body["server_status"], body["status"]) == (False, "running:unknown")
    app = f"/services/{uuid}/applications/{body['applications'][0]['uuid']}"
    assert stacks.server.call("GET", f"{app}/logs").json() == {
        "message": "Server is not functional."
    }
    assert stacks.server.call("POST", f"/deploy?uuid={uuid}").status_code == 500
    stacks.host.reachable = True
    stacks.server.status_pass()
    assert stacks.read(uuid)["server_status"] is True


def test_logs_are_a_live_probe(stacks: Stacks) -> None:
    uuid = stacks.running()
    logs = f"/services/{uuid}/applications/{stacks.read(uuid)['applications'][0]['uuid']}/logs"
    assert stacks.server.call("GET", logs).json() == {"logs": "line 1\nline 2\nline 3"}
    stacks.containers(uuid)[f"a-{uuid}"].state = "exited"
    assert stacks.server.call("GET", logs).status_code == 400
    assert stacks.status(uuid) == "running:unknown", "the stored status is stale"


def test_comma_in_a_label_breaks_the_logs_of_the_whole_stack(stacks: Stacks) -> None:
    uuid = stacks.running(TWO.replace("image: y:1", 'image: y:1\n    labels: ["l=a,b"]'))
    answer = stacks.server.call("GET", f"/services/{uuid}/logs?sub_service_name=a")
    assert answer.status_code == 500


def test_interrupted_deletion_is_taken_up_again(tmp_path: Path) -> None:
    with serve(tmp_path) as server:
        project = server.call("POST", "/projects", {"name": "postgresql"}).json()["uuid"]
        target = server.call("GET", "/servers").json()[0]["uuid"]
        uuid = Stacks(server, project, target).create()
        server.standin.db.run("UPDATE services SET deleting = '{}' WHERE uuid = ?", uuid)
    with serve(tmp_path) as server:
        server.settle()
        assert server.call("GET", f"/services/{uuid}").status_code == 404
        assert server.call("GET", f"/projects/{project}").status_code == 200


def test_nightly_cleanup_spares_servers_with_the_switch_off(stacks: Stacks) -> None:
    stacks.host.images.add("kept:1")
    stacks.server.host.server("h21").images.add("kept:1")
    path = f"/servers/{stacks.target}/docker-cleanup"
    answer = stacks.server.call("PATCH", path, {"force_docker_cleanup": False})
    assert answer.json()["force_docker_cleanup"] is False
    assert stacks.server.lab("POST", "/nightly-cleanup") == {"cleaned": ["h21"]}
    assert stacks.host.images == {"kept:1"}
    assert stacks.server.host.server("h21").images == set()
