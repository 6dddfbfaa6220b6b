"""A real HTTP server on loopback that plays an origin of data: scripted failures first, then answers by function."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from forecast.sources.polite import Manners

SECRET = "s3cr3t/key+that=nobody&may-see"


@dataclass(frozen=True)
class Asked:
    """What a client asked: path, query as pairs, headers with lower-case names."""

    path: str
    query: list[tuple[str, str]]
    headers: dict[str, str]

    def one(self, name: str) -> str:
        """The value of a parameter that occurs once."""
        (value,) = self.all(name)
        return value

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.query if key == name]


@dataclass(frozen=True)
class Reply:
    """What the origin answers; `cut` bytes at the end are announced and never sent."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut: int = 0

    @classmethod
    def json(cls, content: Any, status: int = 200, **headers: str) -> Reply:
        return cls(json.dumps(content).encode(), status, {k.replace("_", "-"): v for k, v in headers.items()})


class Origin:
    """Runs while the test does; `asked` holds every request, `first` what is answered before `answer` is called."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.first: list[Reply] = []
        self.answer: Callable[[Asked], Reply] = lambda asked: Reply(b"not found", 404)
        self.slept: list[float] = []
        origin = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                asked = Asked(parts.path, parse_qsl(parts.query, True), {k.lower(): v for k, v in self.headers.items()})
                origin.asked.append(asked)
                reply = origin.first.pop(0) if origin.first else origin.answer(asked)
                self.send_response_only(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                if reply.status != 304:
                    self.send_header("Content-Length", str(len(reply.body)))
                self.send_header("Connection", "close")
                self.end_headers()
                self.wfile.write(reply.body[: len(reply.body) - reply.cut])
                self.close_connection = True

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def manners(self) -> Manners:
        """The usual schedule; waiting is written down in `slept` and not done."""
        return Manners(pause=0.5, timeout=10, sleep=self.slept.append)
