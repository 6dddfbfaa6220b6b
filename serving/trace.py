"""Every request has a name, a line in the log, and an answer even when the service fails."""

from __future__ import annotations

import logging
import re
import time
import uuid

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.problems import problem

HEADER = b"x-request-id"
_ACCEPTED = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_SAFE = ((b"x-content-type-options", b"nosniff"), (b"referrer-policy", b"no-referrer"), (b"x-frame-options", b"DENY"))
log = logging.getLogger("serving")


class Trace:
    """ASGI middleware: request id in and out, safe headers, one line of log, 500 as a problem without a traceback."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on under its name."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        name = _name(scope)
        scope.setdefault("state", {})["request_id"] = name
        begun, status = time.perf_counter(), 0

        async def named(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), (HEADER, name.encode()), *_SAFE]
            await send(message)

        try:
            await self.app(scope, receive, named)
        except Exception:
            log.exception("%s failed", name)
            if status:
                raise
            detail = f"the service failed on this request; its log holds the cause under {name}."
            await problem(scope, "internal", detail)(scope, receive, named)
        finally:
            spent = (time.perf_counter() - begun) * 1000
            path = scope.get("raw_path", b"").decode("ascii", "replace")
            log.info("%s %s %d %.1f ms %s", scope["method"], path, status, spent, name)


def _name(scope: Scope) -> str:
    """The caller's own name for the request where it is harmless, else a new one."""
    given = next((value for key, value in scope["headers"] if key == HEADER), b"")
    return given.decode("ascii") if _ACCEPTED.fullmatch(given) else uuid.uuid4().hex
