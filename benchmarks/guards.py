"""What stands around an endpoint, timed: names, headers, counts, log line, key, rate, time and body limits.

    python benchmarks/guards.py

Prints microseconds of CPU per request, layer by layer, over an endpoint that does nothing; and the ratio to the whole.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

# Not benchmarks/serving.py, which stands beside this file.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from serving.access import Access, Guard
from serving.keys import Keys
from serving.limits import BodyLimit, TimeLimit
from serving.logs import JsonLines
from serving.telemetry import Telemetry
from serving.trace import Trace

ROUNDS = 20_000
REPEATS = 5


class _Route:
    path = "/v1/forecasts"


async def _endpoint(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    scope["route"] = _Route
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": b"{}"})


async def _receive() -> dict[str, Any]:
    return {"type": "http.request", "body": b"{}", "more_body": False}


async def _send(message: Any) -> None:
    pass


def _scope(token: str) -> Scope:
    headers = [
        (b"host", b"127.0.0.1:8000"), (b"user-agent", b"benchmark"), (b"accept", b"*/*"),
        (b"content-type", b"application/json"), (b"content-length", b"2"),
        (b"authorization", f"Bearer {token}".encode()),
        (b"traceparent", b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
    ]  # fmt: skip
    path = "/v1/forecasts"
    return {"type": "http", "method": "POST", "path": path, "raw_path": path.encode(), "headers": headers, "state": {}}


async def _time(app: ASGIApp, token: str) -> float:
    """Microseconds of one request, the best of some repeats."""
    spent = []
    for _ in range(REPEATS):
        begun = time.process_time()
        for _ in range(ROUNDS):
            await app(_scope(token), _receive, _send)
        spent.append((time.process_time() - begun) / ROUNDS * 1e6)
    return min(spent)


def _stacks(path: Path) -> dict[str, ASGIApp]:
    telemetry, access = Telemetry(), Access(path, 10**9)
    body = BodyLimit(_endpoint, 20 * 1024**2)
    limited = TimeLimit(body, 30.0, telemetry)
    guarded = Guard(limited, access, telemetry)
    return {
        "endpoint alone": _endpoint, "+ body limit": body, "+ time limit": limited, "+ key and rate": guarded,
        "+ names, headers, counts, log": Trace(guarded, telemetry),
        "the same, one line in 100": Trace(guarded, telemetry, log_every=100),
    }  # fmt: skip


def main() -> None:
    """Prints the table."""
    logger = logging.getLogger("serving")
    with open("/dev/null", "w") as sink, tempfile.TemporaryDirectory() as room:
        handler = logging.StreamHandler(sink)
        handler.setFormatter(JsonLines())
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        path = Path(room) / "keys.json"
        keys, token = Keys().added("benchmark", ["forecast"])
        keys.write(path)
        spent = {name: asyncio.run(_time(app, token)) for name, app in _stacks(path).items()}
    bare = spent["endpoint alone"]
    print(f"{'stack':32} {'µs':>7} {'added':>7}")
    for name, one in spent.items():
        print(f"{name:32} {one:7.1f} {one - bare:7.1f}")


if __name__ == "__main__":
    main()
