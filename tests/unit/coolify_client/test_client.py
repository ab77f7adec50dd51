"""One request: what is retried on the wire, and what an operator reads when it fails."""

from __future__ import annotations

import logging
import socket
import threading
import traceback
from collections.abc import Callable, Iterator

import httpx
import pytest

from pgha.coolify.client import CoolifyClient, encoded, parsed_version
from pgha.errors import (
    ConfigurationError,
    ConflictError,
    PghaError,
    RefusedError,
    TimedOutError,
    UnexpectedAnswerError,
    UnreachableError,
)
from tests.unit.coolify_client.fake import (
    SENTINEL,
    TOKEN,
    URL,
    Clock,
    FakeCoolify,
    html,
    raises,
    reply,
)


def too_many(seconds: str) -> Callable[[httpx.Request], httpx.Response]:
    return lambda _request: httpx.Response(
        429, json={"message": "Too Many Attempts."}, headers={"Retry-After": seconds}
    )


@pytest.mark.parametrize("url", [URL, URL + "/", URL + "/api/v1", URL + "/api/v1/"])
def test_the_address_may_carry_the_api_path(url: str, fake: FakeCoolify) -> None:
    client = CoolifyClient(url, TOKEN, transport=fake.transport())
    assert client.version() == "4.3.11"


def test_version_is_bare_text(client: CoolifyClient, fake: FakeCoolify) -> None:
    fake.version = "v4.3.0"
    assert client.version() == "4.3.0"


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("4.3.11", (4, 3, 11)),
        ("v4.3.11", (4, 3, 11)),
        ("4.0.0-beta.420", (4, 0, 0)),
        ("nonsense", (0, 0, 0)),
    ],
)
def test_versions_compare_as_numbers(text: str, numbers: tuple[int, int, int]) -> None:
    assert parsed_version(text) == numbers


def test_servers_are_read_with_what_decides_about_them(client: CoolifyClient) -> None:
    server = client.servers()[0]
    assert (server.name, server.ip, server.row_id) == ("app-server-1.lan", "172.28.0.20", 1)
    assert server.reachable
    assert server.usable
    assert server.nightly_cleanup
    assert server.shows_sensitive


def test_compose_text_is_sent_as_strict_base64(client: CoolifyClient, fake: FakeCoolify) -> None:
    compose = "services:\n  a:\n    image: x\n" * 20
    assert "\n" not in encoded(compose)
    project = fake.add_project("postgresql")
    uuid = client.create_service(
        name="a-b-c",
        description="d",
        server_uuid=fake.servers[0]["uuid"],
        project_uuid=project,
        environment="production",
        compose="services: {a: {image: x}}",
    )
    assert fake.named("a-b-c")[0]["uuid"] == uuid
    assert fake.named("a-b-c")[0]["docker_compose_raw"] == "services: {a: {image: x}}"
    assert fake.bodies[-1]["instant_deploy"] is False
    assert "destination_uuid" not in fake.bodies[-1]


@pytest.mark.parametrize("failure", [html(500), html(502), html(504), raises(httpx.ReadError)])
def test_a_get_is_repeated_after_a_passing_failure(
    failure: Callable[[httpx.Request], httpx.Response], client: CoolifyClient, fake: FakeCoolify
) -> None:
    fake.fail("GET /servers", failure, times=2)
    assert len(client.servers()) == 4
    assert client.requests == 3


@pytest.mark.parametrize("failure", [html(500), html(503), raises(httpx.ReadTimeout)])
def test_a_post_is_never_repeated_blindly(
    failure: Callable[[httpx.Request], httpx.Response], client: CoolifyClient, fake: FakeCoolify
) -> None:
    fake.fail("POST /projects", failure)
    with pytest.raises(PghaError):
        client.create_project("postgresql")
    assert fake.count("POST /projects") == 1


def test_a_post_is_repeated_when_it_was_never_sent(
    client: CoolifyClient, fake: FakeCoolify
) -> None:
    fake.fail("POST /projects", raises(httpx.ConnectError))
    client.create_project("postgresql")
    assert len(fake.projects) == 1


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_retry_after_is_honoured(
    method: str, client: CoolifyClient, fake: FakeCoolify, clock: Clock
) -> None:
    fake.fail(f"{method} /projects", too_many("53"))
    if method == "GET":
        client.projects()
    else:
        client.create_project("postgresql")
    assert clock.slept == [53.0]


def test_a_long_throttle_is_an_error_that_says_how_long(
    client: CoolifyClient, fake: FakeCoolify
) -> None:
    fake.fail("GET /projects", too_many("900"))
    with pytest.raises(RefusedError, match="run this again in 900 seconds"):
        client.projects()


def test_a_throttle_that_never_ends_is_bounded(
    client: CoolifyClient, fake: FakeCoolify, clock: Clock
) -> None:
    fake.fail("GET /projects", too_many("0"), times=1000)
    with pytest.raises(RefusedError, match="too many requests"):
        client.projects()
    assert sum(clock.slept) <= 80


def test_stop_never_asks_for_a_clean_up(fake: FakeCoolify, clock: Clock) -> None:
    seen: list[str] = []

    def record(request: httpx.Request) -> httpx.Response:
        seen.append(str(request.url))
        return reply(200, {"message": "queued"})

    client = CoolifyClient(URL, TOKEN, transport=httpx.MockTransport(record))
    client.stop_service("u", "s")
    client.delete_service("u", "s")
    client.restart_service("u", "s")
    assert "docker_cleanup=false" in seen[0]
    assert "docker_cleanup=false" in seen[1]
    assert "delete_volumes=false" in seen[1]
    assert "latest=false" in seen[2]


@pytest.mark.parametrize(
    ("failure", "error", "sentence"),
    [
        (raises(httpx.ConnectError), UnreachableError, "cannot be reached to list the projects"),
        (raises(httpx.ConnectTimeout), UnreachableError, "check coolify_url, that Coolify runs"),
        (raises(httpx.ReadTimeout), TimedOutError, "did not answer in time"),
        (raises(httpx.RemoteProtocolError), UnreachableError, "closed the connection"),
        (html(500), UnexpectedAnswerError, "failed (500, an HTML page)"),
        (html(200), UnexpectedAnswerError, "answered an HTML page instead of JSON"),
        (
            lambda _r: httpx.Response(302, headers={"Location": "https://login.test/x?y"}),
            UnexpectedAnswerError,
            "redirects to https://login.test: put Coolify's final address into coolify_url",
        ),
        (lambda _r: reply(200, {"not": "a list"}), UnexpectedAnswerError, "without a list"),
        (
            lambda _r: reply(401, {"message": "Unauthenticated."}),
            RefusedError,
            "is wrong or has expired",
        ),
        (
            lambda _r: reply(403, {"success": True, "message": "API is disabled."}),
            RefusedError,
            "is switched off: switch it on under Settings",
        ),
        (
            lambda _r: reply(403, {"message": "You are not allowed to access the API."}),
            RefusedError,
            "add it under Settings > Configuration > Advanced > allowed IPs",
        ),
        (
            lambda _r: reply(403, {"message": "Missing required team role."}),
            RefusedError,
            "only a member of its team",
        ),
        (
            lambda _r: reply(403, {"message": "Missing required permissions: read"}),
            RefusedError,
            "lacks the ability read, needed to list the projects",
        ),
        (
            lambda _r: reply(422, {"message": "Validation failed.", "errors": {"name": ["Bad."]}}),
            RefusedError,
            'refused to list the projects (422, "Validation failed. name: Bad.")',
        ),
        (
            lambda _r: reply(422, {"message": "Validation failed.", "errors": ["Bad."]}),
            RefusedError,
            '"Validation failed. Bad."',
        ),
        (lambda _r: reply(409, {"message": "There."}), ConflictError, '(409, "There.")'),
    ],
)
def test_every_failure_is_one_sentence(
    failure: Callable[[httpx.Request], httpx.Response],
    error: type[PghaError],
    sentence: str,
    client: CoolifyClient,
    fake: FakeCoolify,
) -> None:
    fake.fail("GET /projects", failure, times=3)
    with pytest.raises(error) as caught:
        client.projects()
    text = str(caught.value)
    assert sentence in text
    assert URL in text
    assert "\n" not in text
    assert text.endswith(".")


def test_html_instead_of_a_version_is_not_a_version(
    client: CoolifyClient, fake: FakeCoolify
) -> None:
    fake.fail("GET /version", html(200))
    with pytest.raises(UnexpectedAnswerError, match="does not answer like Coolify"):
        client.version()


def test_nothing_secret_leaves_the_client(
    make_client: Callable[..., CoolifyClient],
    fake: FakeCoolify,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    client = make_client()
    compose = "services: {secret-of-someone: {image: x}}"
    fake.fail("GET /projects$", html(500), times=3)
    fake.fail("POST /services", html(500))
    fake.fail("GET /servers$", lambda _r: reply(418, {"message": "no", "data": SENTINEL}))
    texts = [repr(client)]
    for call in (
        client.projects,
        client.servers,
        client.services,
        lambda: client.create_service(
            name="n",
            description="d",
            server_uuid="s",
            project_uuid="p",
            environment="production",
            compose=compose,
        ),
    ):
        try:
            texts.append(repr(call()))
        except PghaError:
            texts.append(traceback.format_exc())
    for text in (*texts, caplog.text):
        assert TOKEN not in text
        assert TOKEN.split("|")[1] not in text
        assert SENTINEL not in text
        assert "secret-of-someone" not in text
        assert encoded(compose) not in text


@pytest.mark.parametrize("token", ["", " \n", "7|with\nnewline", "7|ümlaut", "7|with space"])
def test_a_malformed_token_is_refused_without_quoting_it(token: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        CoolifyClient(URL, token)
    assert "state/coolify/token" in str(caught.value)
    assert not token.strip() or token.strip() not in str(caught.value)


@pytest.fixture
def silent_server() -> Iterator[str]:
    """Takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        held: list[socket.socket] = []

        def accept() -> None:
            while True:
                try:
                    held.append(listener.accept()[0])
                except OSError:
                    return

        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        for connection in held:
            connection.close()


def test_a_coolify_that_hangs_costs_one_time_out(silent_server: str) -> None:
    from pgha.coolify.retry import RetryPolicy

    client = CoolifyClient(silent_server, TOKEN, timeout=0.2, policy=RetryPolicy(patience_s=0.1))
    with pytest.raises(TimedOutError, match="did not answer in time"):
        client.version()
    assert client.requests == 1


def test_a_closed_port_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    client = CoolifyClient(url, TOKEN, sleep=lambda _seconds: None)
    with pytest.raises(UnreachableError, match="Connection refused"):
        client.version()
    assert client.requests == 3
