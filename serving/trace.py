"""Every request has a name, a place in a trace, a line in the log, and an answer even when the service fails."""

from __future__ import annotations

import logging
import random
import re
import time
from functools import lru_cache
from typing import NamedTuple

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.logs import without_secrets
from serving.problems import problem
from serving.spans import Spans
from serving.telemetry import Telemetry

HEADER = b"x-request-id"
SLOW_S = 1.0
API_POLICY = b"default-src 'none'; frame-ancestors 'none'"
PAGE_POLICY = (
    b"default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; "
    b"frame-ancestors 'none'"
)
_ACCEPTED = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_TRACEPARENT = re.compile(rb"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?")
_SAFE = (
    (b"x-content-type-options", b"nosniff"), (b"referrer-policy", b"no-referrer"), (b"x-frame-options", b"DENY"),
    (b"cross-origin-resource-policy", b"same-origin"),
)  # fmt: skip
log = logging.getLogger("serving.access")
# Names, not secrets: a generator seeded by the system costs a tenth of the system's own numbers.
_draw = random.Random(random.SystemRandom().getrandbits(128)).getrandbits


class Place(NamedTuple):
    """Where a request stands in a trace (hex); `parent` is the caller's span, empty where it names none."""

    trace: str
    span: str
    parent: str
    kept: bool


class Trace:
    """ASGI middleware around all others: names, trace, safe headers, counts, one line of log; 500 as a problem.

    Args:
        app: what answers.
        telemetry: counts.
        log_every: of lines about fast and successful requests, one in so many is written.
        spans: where traces are collected.
    """

    def __init__(self, app: ASGIApp, telemetry: Telemetry, log_every: int = 1, spans: Spans | None = None) -> None:
        self.app, self.telemetry, self.spans = app, telemetry, spans
        self._every, self._quiet = log_every, 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on under its name."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        state = scope.setdefault("state", {})
        place, more = _names(scope, state)
        begun, status = time.perf_counter(), 0
        self.telemetry.opened()

        async def named(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*(given := message.get("headers", ())), *more, *state.get("headers", ()),
                                      *_missing(given)]  # fmt: skip
            await send(message)

        try:
            await self.app(scope, receive, named)
        except Exception:
            log.exception("%s failed", state["request_id"], extra={"fields": {"request_id": state["request_id"]}})
            if status:
                raise
            detail = f"the service failed on this request; its log holds the cause under {state['request_id']}."
            await problem(scope, "internal", detail)(scope, receive, named)
        finally:
            self.telemetry.closed()
            self._done(scope, place, status, time.perf_counter() - begun)

    def _done(self, scope: Scope, place: Place, status: int, seconds: float) -> None:
        """Counts a request, and writes its line and its span."""
        route, method = _route(scope), scope["method"]
        if method not in _METHODS:
            method = "other"
        self.telemetry.request(route, method, status or 499, seconds)
        if self.spans is not None:
            told = {"http.route": route, "http.request.method": method, "http.response.status_code": status}
            self.spans.request(f"{method} {route}", seconds, told, place)
        if status < 400 and seconds < SLOW_S and self._every > 1:
            self._quiet = (self._quiet + 1) % self._every
            if self._quiet:
                return
        if log.isEnabledFor(logging.INFO):
            _write(scope, method, status, seconds)


_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))


def _write(scope: Scope, method: str, status: int, seconds: float) -> None:
    """The line of a request. Its record is made here: logging's own way looks through the stack, which costs more."""
    state, path = scope["state"], scope.get("raw_path", b"")[:200].decode("ascii", "replace")
    spent, name = round(seconds * 1000, 2), state["request_id"]
    if "fk_" in path or "://" in path:
        path = without_secrets(path)
    record = logging.LogRecord(log.name, logging.INFO, "", 0, f"{method} {path} {status} {spent} ms {name}", None, None)
    record.clean = True
    record.fields = {
        "method": method, "path": path, "status": status, "ms": spent, "request_id": name,
        "trace_id": state["trace_id"], "key": state.get("key"), "rung": state.get("rung"),
    }  # fmt: skip
    log.handle(record)


def _names(scope: Scope, state: dict[str, object]) -> tuple[Place, list[tuple[bytes, bytes]]]:
    """Names a request in its state; gives its place in the trace, and the headers that tell the caller.

    A caller's own names are taken where they are well formed: anything else might be written to harm a log.
    """
    asked = parent = None
    for name, value in scope["headers"]:
        if name == HEADER and _ACCEPTED.fullmatch(value):
            asked = value
        elif name == b"traceparent" and len(value) < 100:
            parent = _TRACEPARENT.fullmatch(value)
    trace, span = parent[1] if parent else b"%032x" % (_draw(128) or 1), b"%016x" % (_draw(64) or 1)
    asked = asked or (b"%032x" % _draw(128) if parent else trace)
    flags = parent[3] if parent else b"01"
    kept = int(flags, 16) & 1 == 1
    place = Place(trace.decode(), span.decode(), parent[2].decode() if parent else "", kept)
    state["request_id"], state["trace_id"] = asked.decode(), place.trace
    told = b"00-%b-%b-%b" % (trace, span, b"01" if kept else b"00")
    return place, [(HEADER, asked), (b"traceresponse", told)]


def _route(scope: Scope) -> str:
    """The template of a request's path; one word for all that have none, as anybody can think of more."""
    path = getattr(scope.get("route"), "path", None)
    return path or "other"


def _missing(headers: object) -> tuple[tuple[bytes, bytes], ...]:
    """Safe headers that an answer does not set itself."""
    html = cached = policed = False
    for name, value in headers:  # type: ignore[attr-defined]
        if name == b"content-type":
            html = value.startswith(b"text/html")
        elif name in (b"cache-control", b"etag"):
            cached = True
        elif name == b"content-security-policy":
            policed = True
    return _chosen(html, cached, policed)


@lru_cache(maxsize=8)
def _chosen(html: bool, cached: bool, policed: bool) -> tuple[tuple[bytes, bytes], ...]:
    more = () if policed else ((b"content-security-policy", PAGE_POLICY if html else API_POLICY),)
    return (*_SAFE, *more, *(() if cached else ((b"cache-control", b"no-store"),)))
