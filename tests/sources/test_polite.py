"""The one HTTP client: what it repeats, how long it waits, what it refuses, and that no text holds the key."""

from __future__ import annotations

import logging
import socket
from dataclasses import replace

import pytest
from pydantic import SecretStr

from forecast import clock
from forecast.errors import SourceError
from forecast.sources.keys import Key
from forecast.sources.polite import Manners, Polite
from tests.sources.origin import SECRET, Asked, Origin, Reply

KEY = Key("eia_key", SecretStr(SECRET), "api_key", "https://example.org/register")


def load(asked: Asked) -> Reply:
    return Reply.json({"load": 1})


def ask(origin: Origin, key: Key | None = KEY, manners: Manners | None = None) -> object:
    with Polite(manners or origin.manners, key) as web:
        return web.json(f"{origin.url}/load", [("facets[type][]", "D"), ("facets[type][]", "DF")])


def test_the_key_and_all_parameters_arrive(origin: Origin) -> None:
    origin.answer = load
    assert ask(origin) == {"load": 1}
    (asked,) = origin.asked
    assert asked.one("api_key") == SECRET
    assert asked.all("facets[type][]") == ["D", "DF"]
    assert asked.headers["user-agent"].startswith("demand-forecast")
    assert origin.slept == []


def test_passing_failures_are_repeated_on_the_documented_schedule(origin: Origin) -> None:
    origin.answer = load
    origin.first = [Reply(b"oops", status) for status in (500, 502, 503, 504, 429)]
    assert ask(origin) == {"load": 1}
    assert origin.slept == [1, 2, 4, 8, 16]


def test_retry_after_is_honoured_in_seconds_and_as_a_date(origin: Origin) -> None:
    origin.answer = load
    date = {"Date": "Sun, 22 Nov 2026 10:00:00 GMT", "Retry-After": "Sun, 22 Nov 2026 10:01:30 GMT"}
    origin.first = [
        Reply(status=429, headers={"Retry-After": "30"}),
        Reply(status=503, headers={"Retry-After": "0"}),
        Reply(status=429, headers={"Retry-After": "tomorrow"}),
    ]
    assert ask(origin) == {"load": 1}
    assert origin.slept == [30, 2, 4]
    origin.slept.clear()
    origin.first = [Reply(status=429, headers=date)]
    with clock.using("2026-11-22T10:00:00Z"):
        ask(origin)
    assert origin.slept == [90]


def test_a_longer_wait_than_patience_is_told_and_not_waited_for(origin: Origin) -> None:
    origin.answer = lambda asked: Reply.json({"error": {"message": "quota"}}, 429, Retry_After="86400")
    with pytest.raises(
        SourceError, match=r"(?i)asks to wait 86400 s \(last: answered 429: quota\).*run it again later"
    ):
        ask(origin)
    assert (origin.slept, len(origin.asked)) == ([], 1)


def test_an_origin_that_stays_busy_is_given_up(origin: Origin) -> None:
    origin.answer = lambda asked: Reply.json({"error": True, "reason": "Too many requests"}, 429)
    with pytest.raises(SourceError, match=r"127.0.0.1:\d+ failed 6 times in a row .*429: Too many requests"):
        ask(origin)
    assert (origin.slept, len(origin.asked)) == ([1, 2, 4, 8, 16], 6)


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_names_its_setting_and_is_not_tried_again(origin: Origin, status: int) -> None:
    told = {"error": {"code": "API_KEY_INVALID", "message": f"An invalid api_key ({SECRET}) was supplied."}}
    origin.answer = lambda asked: Reply.json(told, status)
    with pytest.raises(
        SourceError, match=rf"refuses the key \({status}: An invalid api_key \(\*\*\*\).*FORECAST_EIA_KEY.*register"
    ):
        ask(origin)
    assert len(origin.asked) == 1


def test_a_key_that_is_not_set_is_named_before_anything_is_asked(origin: Origin) -> None:
    with pytest.raises(SourceError, match=r"needs a key and none is set; expected a key in FORECAST_EIA_KEY"):
        ask(origin, replace(KEY, secret=None))
    assert origin.asked == []
    origin.answer = load
    assert ask(origin, replace(KEY, secret=SecretStr(""), required=False)) == {"load": 1}
    assert origin.asked[0].all("api_key") == []


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        (Reply(b'{"response": {"data": [', 200), r"answered 23 bytes that are not whole JSON: \{\"response\""),
        (Reply(b"<html>Maintenance</html>"), "not whole JSON: <html>Maintenance"),
        (Reply(b'{"load": 1}', cut=4), "broke off in the middle of its answer"),
        (Reply(b'{"latitude":nan}'), "not whole JSON"),
    ],
)
def test_broken_answers_are_asked_for_again_and_then_told(origin: Origin, reply: Reply, told: str) -> None:
    origin.answer, origin.first = load, [reply]
    assert ask(origin) == {"load": 1}
    assert origin.slept == [1]
    origin.answer = lambda asked: reply
    with pytest.raises(SourceError, match=told):
        ask(origin)


def test_what_is_wrong_with_the_request_is_told_at_once(origin: Origin) -> None:
    origin.answer = lambda asked: Reply.json({"error": True, "reason": "Cannot initialize hourly"}, 400)
    with pytest.raises(SourceError, match=r"does not accept the request \(400: Cannot initialize hourly\)"):
        ask(origin)
    origin.answer = lambda asked: Reply(b"<Error><Message>Not here</Message></Error>", 404)
    with pytest.raises(SourceError, match=r"404: Not here"):
        ask(origin)
    origin.answer = lambda asked: Reply(status=301, headers={"Location": f"https://new.org/v3?api_key={SECRET}"})
    with pytest.raises(SourceError, match=r"has moved \(301, to https://new.org/v3\)"):
        ask(origin)
    assert (origin.slept, len(origin.asked)) == ([], 3)


def test_a_refused_connection_is_told(origin: Origin) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with (
        pytest.raises(SourceError, match=rf"127.0.0.1:{port} failed 6 times .*cannot be reached .*refused"),
        Polite(origin.manners, KEY) as web,
    ):
        web.json(f"http://127.0.0.1:{port}/load")
    assert origin.slept == [1, 2, 4, 8, 16]
    with pytest.raises(SourceError, match=r"is not an address"), Polite(origin.manners) as web:
        web.json("nowhere/load")


def test_a_silent_origin_is_given_up(origin: Origin) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        manners = replace(origin.manners, timeout=0.05, waits=(1,))
        with pytest.raises(SourceError, match=r"did not answer within 0.05 s"), Polite(manners) as web:
            web.json(f"http://127.0.0.1:{silent.getsockname()[1]}/load")


def test_between_two_requests_lies_a_pause_per_origin(origin: Origin) -> None:
    origin.answer = load
    other = Origin()
    other.answer = load
    with Polite(origin.manners) as web:
        for url in (origin.url, other.url, origin.url, other.url):
            web.json(f"{url}/load")
    other.close()
    assert origin.slept == [0.5, 0.5]


def test_an_unchanged_file_is_not_sent_again(origin: Origin) -> None:
    def answer(asked: Asked) -> Reply:
        same = asked.headers.get("if-none-match") == '"v1"'
        return Reply(status=304) if same else Reply(b"a;b\n", headers={"ETag": '"v1"', "Last-Modified": "yesterday"})

    origin.answer = answer
    with Polite(origin.manners) as web:
        first = web.get(f"{origin.url}/file")
        assert (first.text, first.unchanged) == ("a;b\n", False)
        assert first.validators == {"etag": '"v1"', "last-modified": "yesterday"}
        assert web.get(f"{origin.url}/file", validators=first.validators).unchanged
        assert origin.asked[-1].headers["if-modified-since"] == "yesterday"
        assert web.get(f"{origin.url}/file", validators={"etag": '"v0"'}).content == b"a;b\n"


def test_no_text_holds_the_key(origin: Origin, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    origin.answer = lambda asked: Reply(f"the key {SECRET} is wrong".encode(), 500)
    with Polite(origin.manners, KEY) as web, pytest.raises(SourceError) as caught:
        web.json(f"{origin.url}/load", [("type", "D")])
    assert any("HTTP Request" in record.getMessage() for record in caplog.records)
    assert any("asking again in 4 s" in record.getMessage() for record in caplog.records)
    shown = "".join(f"{record.getMessage()}{record.args!r}" for record in caplog.records)
    for text in (shown, str(caught.value), repr(KEY), repr(web), repr(web.key)):
        assert "s3cr3t" not in text
    assert origin.asked[0].one("api_key") == SECRET


def test_a_proxy_is_used_where_the_environment_names_one(origin: Origin, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "localhost")
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, origin.url)
    origin.answer = load
    with Polite(origin.manners, KEY) as web:
        assert web.json("http://load.invalid/v2/hours") == {"load": 1}
    (asked,) = origin.asked
    assert (asked.path, asked.headers["host"]) == ("/v2/hours", "load.invalid")
    assert asked.one("api_key") == SECRET
