"""Lines of the log, names in traces, and what must not stand in either; spans that reach a collector."""

from __future__ import annotations

import json
import logging
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from forecast.forecaster import Forecaster
from forecast.settings import Settings
from serving import create_app
from serving.keys import Keys
from serving.logs import JsonLines, TextLines, without_secrets

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


class Lines(logging.Handler):
    """Keeps what a formatter makes of records."""

    def __init__(self, formatter: logging.Formatter) -> None:
        super().__init__()
        self.setFormatter(formatter)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))

    def last(self) -> dict[str, Any]:
        said: dict[str, Any] = json.loads(self.lines[-1])
        return said


@pytest.fixture
def lines() -> Iterator[Lines]:
    """The log as JSON."""
    handler, logger = Lines(JsonLines()), logging.getLogger("serving")
    logger.addHandler(handler)
    before = logger.level
    logger.setLevel(logging.INFO)
    yield handler
    logger.removeHandler(handler)
    logger.setLevel(before)


def test_one_line_for_a_request(tmp_path: Path, plain: Forecaster, lines: Lines) -> None:
    settings = Settings.read(home=tmp_path)
    keys, token = Keys().added("trader", ["forecast"])
    keys.write(settings.key_file)
    headers = {"authorization": f"Bearer {token}", "x-request-id": "mine-1", "traceparent": f"00-{TRACE}-{SPAN}-01"}
    with TestClient(create_app(settings, plain)) as client:
        before = len(lines.lines)
        answer = client.get("/v1/models?registered=false&password=word", headers=headers)
    assert len(lines.lines) == before + 1
    line = lines.last()
    assert line["at"].endswith("Z")
    assert (line["level"], line["logger"]) == ("info", "serving.access")
    assert (line["method"], line["path"], line["status"]) == ("GET", "/v1/models", 200)
    assert (line["request_id"], line["trace_id"], line["key"]) == ("mine-1", TRACE, keys.keys[0].id)
    assert 0 < line["ms"] < 10_000
    assert answer.headers["x-request-id"] == "mine-1"
    everything = "".join(lines.lines)
    for secret in (token, token.split("_", 2)[2], "word", "Bearer"):
        assert secret not in everything


def test_the_line_of_a_forecast_names_its_rung(plain_client: TestClient, lines: Lines) -> None:
    body = {"start": "2014-06-01T00:00+10:00", "step": "PT30M", "y": [*map(float, [*range(48)] * 10)]}
    asked = {"series": [{"unique_id": "town", "history": body}], "horizon": 4}
    answer = plain_client.post("/v1/forecasts", json=asked)
    assert (lines.last()["path"], lines.last()["rung"]) == ("/v1/forecasts", answer.json()["rung"])


@pytest.mark.parametrize(
    "given",
    [
        "", "x", f"00-{'0' * 32}-{SPAN}-01", f"00-{TRACE}-{'0' * 16}-01", f"ff-{TRACE}-{SPAN}-01",
        f"00-{TRACE.upper()}-{SPAN}-01", f"00-{TRACE}-{SPAN}-01" + "a" * 500, f"00-{TRACE}-{SPAN}",
    ],
)  # fmt: skip
def test_a_trace_is_begun_where_none_is_given(client: TestClient, lines: Lines, given: str) -> None:
    answer = client.get("/livez", headers={"traceparent": given})
    made = re.fullmatch(r"00-([0-9a-f]{32})-([0-9a-f]{16})-01", answer.headers["traceresponse"])
    assert made is not None
    assert made[1] not in (TRACE, "0" * 32)
    assert lines.last()["trace_id"] == made[1] == answer.headers["x-request-id"]


def test_a_trace_goes_on(client: TestClient) -> None:
    first, second = (client.get("/livez", headers={"traceparent": f"00-{TRACE}-{SPAN}-00"}) for _ in "12")
    version, trace, span, kept = first.headers["traceresponse"].split("-")
    assert (version, trace, kept) == ("00", TRACE, "00")
    assert span != SPAN, "a span of its own"
    assert first.headers["x-request-id"] != second.headers["x-request-id"], "one trace may hold several requests"


def test_lines_may_be_sampled_and_refusals_never_are(tmp_path: Path, plain: Forecaster, lines: Lines) -> None:
    with TestClient(create_app(Settings.read(home=tmp_path, log_every=10), plain)) as client:
        before = len(lines.lines)
        for _ in range(30):
            client.get("/livez")
        assert len(lines.lines) - before == 3
        for _ in range(5):
            client.get("/nothing")
        assert len(lines.lines) - before == 8


def _record(message: str, *args: object, failed: bool = False) -> logging.LogRecord:
    wrong = None
    if failed:
        try:
            raise ValueError("postgresql://me:s3cr3t@db/load refused")
        except ValueError as error:
            wrong = (ValueError, error, error.__traceback__)
    return logging.LogRecord("serving", logging.ERROR, "", 0, message, args, wrong)


@pytest.mark.parametrize("formatter", [JsonLines(), TextLines()])
def test_secrets_are_taken_out(formatter: logging.Formatter) -> None:
    key = "fk_0011aabb_" + "s" * 43
    secrets = ("s3cr3t", "s" * 43, "abcdefgh1")
    message = "store %s, key %s, Authorization: Bearer %s, password=%s"
    text = formatter.format(_record(message, "postgresql://me:s3cr3t@db/load", key, "abcdefgh1", "s3cr3t", failed=True))
    for secret in secrets:
        assert secret not in text
    for kept in ("fk_0011aabb_***", "db/load", "ValueError", "Traceback"):
        assert kept in text


def test_what_is_no_secret_stays() -> None:
    for text in ("2 keys read from /home/me/keys.json", "http://127.0.0.1:8000/docs", "series 'a@b' has no token"):
        assert without_secrets(text) == text


def test_a_line_cannot_be_broken() -> None:
    text = JsonLines().format(_record("first\nsecond \x00 %s", "\u2028{}"))
    assert "\n" not in text
    assert json.loads(text)["message"] == "first\nsecond \x00 \u2028{}"


# ---- OpenTelemetry ---------------------------------------------------------------------------------------------------


@pytest.fixture
def collector() -> Iterator[tuple[str, list[Any]]]:
    """A collector of spans on loopback: its address, and the spans it was sent."""
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    spans: list[Any] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            import gzip

            raw = self.rfile.read(int(self.headers["content-length"]))
            raw = gzip.decompress(raw) if self.headers.get("content-encoding") == "gzip" else raw
            sent = ExportTraceServiceRequest.FromString(raw)
            spans.extend(one for part in sent.resource_spans for scope in part.scope_spans for one in scope.spans)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Collector) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", spans
        server.shutdown()
        thread.join()


def test_spans_reach_a_collector(
    tmp_path: Path, plain: Forecaster, collector: tuple[str, list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, spans = collector
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
    app = create_app(Settings.read(home=tmp_path), plain)
    with TestClient(app) as client:
        answer = client.get("/v1/models", headers={"traceparent": f"00-{TRACE}-{SPAN}-01"})
        client.get("/livez", headers={"traceparent": f"00-{TRACE}-{SPAN}-00"})
        alone = client.get("/readyz")
        app.state.service.telemetry.inference(0.25, 4)
        app.state.service.telemetry.ledger(0.01, 2)
    by_name = {one.name: one for one in spans}
    assert "GET /livez" not in by_name, "its caller does not keep this trace"
    request = by_name["GET /v1/models"]
    assert (request.trace_id.hex(), request.parent_span_id.hex()) == (TRACE, SPAN)
    assert request.span_id.hex() == answer.headers["traceresponse"].split("-")[2]
    root = by_name["GET /readyz"]
    assert (root.trace_id.hex(), root.span_id.hex()) == tuple(alone.headers["traceresponse"].split("-")[1:3])
    assert not root.parent_span_id
    inference = by_name["inference"]
    assert inference.end_time_unix_nano - inference.start_time_unix_nano == pytest.approx(0.25e9)
    assert {one.key: one.value.int_value for one in inference.attributes} == {"batch": 4}
    assert "ledger" in by_name


def test_without_a_collector_nothing_is_loaded(tmp_path: Path, plain: Forecaster) -> None:
    app = create_app(Settings.read(home=tmp_path), plain)
    assert app.state.service.telemetry.spans is None
