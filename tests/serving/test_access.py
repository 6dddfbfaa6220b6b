"""Keys, scopes, rates, and limits of heads, bodies, time and connections."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from starlette.testclient import TestClient
from typer.testing import CliRunner

from forecast.cli.app import app as command
from forecast.errors import DeclarationError, RequestError
from forecast.forecaster import Forecaster
from forecast.settings import Settings
from serving import access as module
from serving import create_app, run, running
from serving.access import Access, check_reach, needed
from serving.connections import Patient
from serving.keys import KeyRing, Keys, digest
from serving.limits import TimeLimit
from serving.rates import Rates
from serving.telemetry import Telemetry


class Held:
    """A service with keys, and the keys."""

    def __init__(self, client: TestClient, path: Path, tokens: dict[str, str]) -> None:
        self.client, self.path, self.tokens = client, path, tokens

    def get(self, path: str, who: str, **more: Any) -> httpx.Response:
        return self.client.get(path, headers={"authorization": f"Bearer {self.tokens[who]}"}, **more)


def _keys(**scopes: str) -> tuple[Keys, dict[str, str]]:
    keys, tokens = Keys(), {}
    for name, wanted in scopes.items():
        keys, tokens[name] = keys.added(name, wanted.split(","))
    return keys, tokens


@pytest.fixture
def held(tmp_path: Path, plain: Forecaster, monkeypatch: pytest.MonkeyPatch) -> Iterator[Held]:
    monkeypatch.setattr(module, "LOOK_EVERY_S", 0.0)
    keys, tokens = _keys(trader="forecast", meter="ingest", boss="admin")
    settings = Settings.read(home=tmp_path)
    keys.write(settings.key_file)
    with TestClient(create_app(settings, plain)) as client:
        yield Held(client, settings.key_file, tokens)


# ---- keys ------------------------------------------------------------------------------------------------------------


def test_the_file_holds_no_key(tmp_path: Path) -> None:
    keys, tokens = _keys(trader="forecast,ingest")
    path = tmp_path / "deep" / "keys.json"
    keys.write(path)
    token = tokens["trader"]
    text = path.read_text()
    assert token not in text
    assert token.rsplit("_", 1)[1] not in text
    assert digest(token) in text
    assert path.stat().st_mode & 0o077 == 0
    assert os.listdir(path.parent) == ["keys.json"]
    assert Keys.read(path) == keys
    assert len(token.split("_", 2)[2]) == 43, "256 bits"


def test_a_key_is_found_by_its_whole_text() -> None:
    keys, tokens = _keys(one="forecast", two="admin")
    ring = KeyRing(keys)
    one, two = tokens["one"], tokens["two"]
    found = ring.of(one)
    assert found is not None
    assert (found.name, found.scopes) == ("one", ("forecast",))
    mixed = f"{one[:11]}_{two[12:]}"
    other = one[:-2] + ("AA" if not one.endswith("AA") else "BB")
    for wrong in (mixed, other, one[:-1], one + "x", one.upper(), "", "fk_", "fk_00000000_" + "a" * 43, "x" * 10_000):
        assert ring.of(wrong) is None, wrong


def test_secrets_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    keys, tokens = _keys(one="forecast")
    asked = []
    monkeypatch.setattr("serving.keys.hmac.compare_digest", lambda a, b: asked.append((a, b)) or a == b)
    ring = KeyRing(keys)
    assert ring.of(tokens["one"]) is not None
    assert ring.of("fk_00000000_" + "a" * 43) is None, "an unknown id is compared, too"
    assert len(asked) == 2


@pytest.mark.parametrize(("name", "scopes"), [("a", ["everything"]), ("a", []), ("there", ["forecast"])])
def test_wrong_keys_are_not_made(name: str, scopes: list[str]) -> None:
    keys, _ = _keys(there="forecast")
    with pytest.raises(DeclarationError):
        keys.added(name, scopes)


def test_a_damaged_file_is_named_and_not_quoted(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.write_text('{"keys": [{"sha256": "deadbeef"}]}')
    with pytest.raises(DeclarationError) as told:
        Keys.read(path)
    assert "deadbeef" not in str(told.value)
    with pytest.raises(DeclarationError):
        check_reach(Settings.read(home=tmp_path, keys_file=path))


def test_the_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORECAST_HOME", str(tmp_path))
    added = CliRunner().invoke(command, ["keys", "add", "--name", "trader", "--scope", "forecast, ingest"])
    assert added.exit_code == 0, added.output
    token = added.stdout.splitlines()[0]
    path = tmp_path / "mlruns" / "keys.json"
    key = KeyRing(Keys.read(path)).of(token)
    assert key is not None
    assert key.scopes == ("forecast", "ingest")
    listed = CliRunner().invoke(command, ["keys", "list"]).output
    assert "trader" in listed
    assert key.id in listed
    assert token not in listed
    assert key.sha256 not in listed
    assert CliRunner().invoke(command, ["keys", "revoke", "trader"]).exit_code == 0
    assert Keys.read(path).keys == ()
    assert path.exists(), "closed for everybody, not open to everybody"
    assert isinstance(CliRunner().invoke(command, ["keys", "revoke", "nobody"]).exception, DeclarationError)


# ---- who may what ----------------------------------------------------------------------------------------------------


def test_without_a_key_only_what_is_open_answers(held: Held) -> None:
    for path in ("/livez", "/readyz", "/docs", "/openapi.json", "/problems/data"):
        assert held.client.get(path).status_code == 200, path
    for path in (
        "/v1/models",
        "/v1/series",
        "/metrics",
        "/v1/forecasts",
        "/nothing",
        "/livez/",
        "/docs/../v1",
    ):
        answer = held.client.get(path, follow_redirects=False)
        assert answer.status_code == 401, path
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert answer.json()["type"] == "/problems/unauthorized"
    assert held.client.post("/v1/forecasts", json={}).status_code == 401


def test_scopes(held: Held) -> None:
    assert held.get("/v1/models", "trader").status_code == 200
    assert held.get("/v1/models", "boss").status_code == 200, "who may do everything may do this"
    refused = held.get("/v1/models", "meter")
    assert (refused.status_code, refused.json()["type"]) == (403, "/problems/forbidden")
    assert "forecast" in refused.json()["detail"]
    assert held.get("/metrics", "meter").status_code == 200, "any key"
    for path, right in (("/v1/observations", "ingest"), ("/v1/models/reload", "admin"), ("/v1/forecasts", "forecast")):
        assert needed(path) == right
        for who, has in (("trader", "forecast"), ("meter", "ingest"), ("boss", "admin")):
            headers = {"x-api-key": held.tokens[who]}
            status = held.client.post(path, content=b"", headers=headers).status_code
            assert (status == 403) == (has not in (right, "admin")), (path, who, status)


def test_a_wrong_key_is_told_so_and_not_repeated(held: Held, caplog: pytest.LogCaptureFixture) -> None:
    wrong = held.tokens["trader"][:-3] + "abc"
    with caplog.at_level("INFO"):
        answer = held.client.get("/v1/models", headers={"authorization": f"Bearer {wrong}"})
    assert (answer.status_code, "invalid_token" in answer.headers["www-authenticate"]) == (401, True)
    assert wrong not in answer.text
    assert wrong not in caplog.text
    assert held.client.get("/v1/models", headers={"authorization": "Basic dXNlcjpwYXNz"}).status_code == 401


def test_the_file_is_read_again_and_a_lost_one_opens_nothing(held: Held) -> None:
    before = Keys.read(held.path)
    before.without("trader").write(held.path)
    assert held.get("/v1/models", "trader").status_code == 401
    more, token = before.added("late", ["forecast"])
    more.write(held.path)
    assert held.client.get("/v1/models", headers={"x-api-key": token}).status_code == 200
    held.path.write_text("{ half")
    assert held.client.get("/v1/models", headers={"x-api-key": token}).status_code == 200, "the keys of before stay"
    held.path.unlink()
    assert held.client.get("/v1/models").status_code == 401


def test_a_service_that_gets_its_first_key_closes(
    tmp_path: Path, plain: Forecaster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOOK_EVERY_S", 0.0)
    settings = Settings.read(home=tmp_path)
    with TestClient(create_app(settings, plain)) as client:
        assert client.get("/v1/models").status_code == 200
        assert "securitySchemes" not in client.get("/openapi.json").json()["components"]
        _keys(one="forecast")[0].write(settings.key_file)
        assert client.get("/v1/models").status_code == 401
        document = client.get("/openapi.json").json()
        assert document["paths"]["/v1/models"]["get"]["security"] == [{"bearer": []}, {"header": []}]
        assert "security" not in document["paths"]["/livez"]["get"]


def test_numbers_are_open_to_this_machine_unless_a_proxy_asks(tmp_path: Path) -> None:
    settings = Settings.read(home=tmp_path)
    _keys(one="forecast")[0].write(settings.key_file)

    async def statuses() -> list[int]:
        found = []
        for client, headers in (("127.0.0.1", {}), ("127.0.0.1", {"x-forwarded-for": "9.9.9.9"}), ("10.0.0.9", {})):
            transport = httpx.ASGITransport(create_app(settings), client=(client, 1))
            async with httpx.AsyncClient(transport=transport, base_url="http://service") as caller:
                found.append((await caller.get("/metrics", headers=headers)).status_code)
        return found

    assert anyio.run(statuses) == [200, 401, 401]


# ---- how far it may be reached ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.1.2.3", "meters.example"])
def test_nothing_listens_beyond_loopback_without_keys(host: str, tmp_path: Path, plain: Forecaster) -> None:
    with pytest.raises(RequestError, match="no API key is set up"):
        run(Settings.read(home=tmp_path, host=host, port=0), plain)


def test_it_listens_with_keys_or_when_told_to(tmp_path: Path) -> None:
    check_reach(Settings.read(home=tmp_path, host="0.0.0.0", allow_open=True))
    settings = Settings.read(home=tmp_path, host="0.0.0.0")
    _keys(one="forecast")[0].write(settings.key_file)
    check_reach(settings)
    with pytest.raises(DeclarationError, match="no file of keys"):
        check_reach(Settings.read(home=tmp_path, keys_file="elsewhere.json"))


# ---- rates -----------------------------------------------------------------------------------------------------------


def test_a_bucket_refills() -> None:
    now = [0.0]
    rates = Rates(ticks=lambda: now[0])
    assert [rates.take("a", 3).allowed for _ in range(4)] == [True, True, True, False]
    assert rates.take("b", 3).allowed, "each has its own"
    now[0] = 19.0
    left = rates.take("a", 3)
    assert (left.allowed, left.wait_s) == (False, 1)
    now[0] = 20.5
    assert rates.take("a", 3).allowed
    now[0] = 10_000.0
    assert [rates.take("a", 3).allowed for _ in range(4)] == [True, True, True, False], "no more than a minute's"
    rates.keep({"b"})
    assert rates.take("a", 3).remaining == 2


def test_too_many_requests(tmp_path: Path, plain: Forecaster) -> None:
    settings = Settings.read(home=tmp_path, rate_per_minute=2)
    keys, token = Keys().added("slow", ["forecast"])
    keys, free = keys.added("free", ["forecast"], 0)
    keys.write(settings.key_file)
    with TestClient(create_app(settings, plain)) as client:
        answers = [client.get("/v1/models", headers={"x-api-key": token}) for _ in range(3)]
        assert [one.status_code for one in answers] == [200, 200, 429]
        assert answers[0].headers["ratelimit-policy"] == '"key";q=2;w=60'
        assert answers[0].headers["ratelimit"].startswith('"key";r=1')
        last = answers[-1]
        assert (last.json()["type"], 1 <= int(last.headers["retry-after"]) <= 30) == ("/problems/too-many", True)
        assert {client.get("/v1/models", headers={"x-api-key": free}).status_code for _ in range(9)} == {200}
        assert (
            'forecast_refusals_total{reason="too-many"} 1.0' in client.get("/metrics", headers={"x-api-key": free}).text
        )


# ---- time and connections --------------------------------------------------------------------------------------------


def _limited(app: Any, seconds: float) -> tuple[int, bytes]:
    async def ask() -> tuple[int, bytes]:
        transport = httpx.ASGITransport(TimeLimit(app, seconds, Telemetry()))
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as caller:
            answer = await caller.post("/", content=_drops())
            return answer.status_code, answer.content

    return anyio.run(ask)


async def _drops() -> Any:
    for _ in range(3):
        yield b"x"
        await asyncio.sleep(0.15)


def test_what_takes_too_long_is_ended() -> None:
    ended = []

    async def hangs(scope: Any, receive: Any, send: Any) -> None:
        try:
            while (await receive())["more_body"]:
                pass
            await asyncio.sleep(60)
        finally:
            ended.append(True)

    status, told = _limited(hangs, 0.2)
    assert (status, json.loads(told)["type"]) == (408, "/problems/slow-body")
    status, told = _limited(hangs, 1.0)
    assert (status, json.loads(told)["type"]) == (503, "/problems/timeout")
    assert len(ended) == 2


def test_what_is_in_time_is_left_alone() -> None:
    async def echoes(scope: Any, receive: Any, send: Any) -> None:
        body = b""
        while (message := await receive())["more_body"]:
            body += message["body"]
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body})

    assert _limited(echoes, 30) == (200, b"xxx")
    assert _limited(echoes, 0) == (200, b"xxx"), "0 is no limit"


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory, plain: Forecaster) -> Iterator[tuple[str, int]]:
    """A server of little patience: half a second for a head, four connections."""
    settings = Settings.read(home=tmp_path_factory.mktemp("hasty"), port=0, max_connections=4)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Patient, "head_seconds", 0.5)
        with running(settings, plain) as url:
            yield "127.0.0.1", int(url.rsplit(":", 1)[1])


def _say(where: tuple[str, int], *parts: bytes, pause: float = 0.0) -> bytes:
    """What a server answers to bytes, until it closes or is silent for three seconds."""
    with socket.create_connection(where, timeout=5) as line:
        heard, line_closed = b"", False
        for part in (*parts, b""):
            try:
                line.sendall(part)
                line.settimeout(pause or 0.001)
                heard += line.recv(65536)
            except TimeoutError:
                pass
            except OSError:
                break
        line.settimeout(3)
        while not line_closed:
            try:
                chunk = line.recv(65536)
            except OSError:
                break
            heard, line_closed = heard + chunk, not chunk
        return heard


@pytest.mark.parametrize("said", [b"", b"GET /livez HT", b"GET /livez HTTP/1.1\r\nhost: a\r\n", b"\r\n\r\n"])
def test_who_does_not_say_what_he_wants_is_sent_away(hasty: tuple[str, int], said: bytes) -> None:
    began = time.monotonic()
    heard = _say(hasty, said)
    assert time.monotonic() - began < 3, "it closed"
    assert heard.startswith(b"HTTP/1.1 408")
    assert json.loads(heard.partition(b"\r\n\r\n")[2])["type"] == "/problems/slow-body"


def test_who_drips_a_head_is_sent_away_also_on_a_used_connection(hasty: tuple[str, int]) -> None:
    drops = [b"GET /livez HTTP/1.1\r\nhost: a\r\n\r\n", b"GET /livez HTTP/1.1\r\n", *[b"x: y\r\n"] * 20]
    began = time.monotonic()
    heard = _say(hasty, *drops, pause=0.1)
    assert heard.startswith(b"HTTP/1.1 200")
    assert b"HTTP/1.1 408" in heard
    assert time.monotonic() - began < 4


@pytest.mark.parametrize(
    "head", [b"x: " + b"y" * 200_000, b"\r\n".join(b"x%d: y" % number for number in range(20_000))]
)
def test_a_head_has_a_size(hasty: tuple[str, int], head: bytes) -> None:
    for whole in (head, head + b"\r\n\r\n"):
        heard = _say(hasty, b"GET /livez HTTP/1.1\r\nhost: a\r\n" + whole)
        assert heard == b"" or heard.startswith(b"HTTP/1.1 431"), heard[:100]
    long = _say(hasty, b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nhost: a\r\n\r\n")
    assert long == b"" or long.startswith(b"HTTP/1.1 431")
    assert b"200 OK" in _say(hasty, b"GET /livez HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"), "it goes on"


@pytest.mark.parametrize("said", [b"\x16\x03\x01\x00", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\x00" * 5000,
                                  b"POST /v1/forecasts HTTP/1.1\r\nhost: a\r\ncontent-length: -1\r\n\r\n"])  # fmt: skip
def test_what_is_no_http_is_a_problem_too(hasty: tuple[str, int], said: bytes) -> None:
    heard = _say(hasty, said)
    assert heard.startswith(b"HTTP/1.1 400"), heard[:100]
    assert json.loads(heard.partition(b"\r\n\r\n")[2])["type"] == "/problems/http"


def test_there_are_so_many_connections_and_no_more(hasty: tuple[str, int]) -> None:
    lines = [socket.create_connection(hasty, timeout=5) for _ in range(4)]
    try:
        time.sleep(0.1)
        heard = _say(hasty, b"")
        assert heard.startswith(b"HTTP/1.1 503")
        assert json.loads(heard.partition(b"\r\n\r\n")[2])["type"] == "/problems/busy"
    finally:
        for line in lines:
            line.close()
    time.sleep(0.2)
    assert b"200 OK" in _say(hasty, b"GET /livez HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")


# ---- headers ---------------------------------------------------------------------------------------------------------


def test_answers_carry_safe_headers(client: TestClient) -> None:
    for path in ("/livez", "/v1/models", "/docs", "/nothing"):
        headers = client.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert "access-control-allow-origin" not in headers
        assert headers["cache-control"] == "no-store"
    assert client.get("/v1/models").headers["content-security-policy"].startswith("default-src 'none'")
    page = client.get("/docs").headers["content-security-policy"]
    assert "'sha256-" in page
    assert "script-src 'self' 'unsafe" not in page


def test_pages_of_other_origins_ask_only_where_they_are_named(tmp_path: Path, plain: Forecaster) -> None:
    settings = Settings.read(home=tmp_path, origins="https://desk.example, https://other.example")
    _keys(one="forecast")[0].write(settings.key_file)
    asked = {"access-control-request-method": "POST", "access-control-request-headers": "authorization,content-type"}
    with TestClient(create_app(settings, plain)) as client:
        allowed = client.options("/v1/forecasts", headers={"origin": "https://desk.example", **asked})
        assert (allowed.status_code, allowed.headers["access-control-allow-origin"]) == (200, "https://desk.example")
        denied = client.options("/v1/forecasts", headers={"origin": "https://evil.example", **asked})
        assert "access-control-allow-origin" not in denied.headers


def test_access_without_a_file_is_open(tmp_path: Path) -> None:
    assert not Access(tmp_path / "none.json", 10).closed
