"""Who may ask what: keys with scopes, checked once per request, and how often they may.

Everything needs a key once there is a file of keys, save what stands in `_OPEN`: a new endpoint is closed by itself.
"""

from __future__ import annotations

import ipaddress
import logging
import time
from pathlib import Path

from starlette.types import ASGIApp, Receive, Scope, Send

from forecast.errors import DeclarationError, RequestError
from forecast.settings import Settings
from serving.keys import Key, KeyRing, Keys, Right
from serving.problems import problem
from serving.rates import Rates
from serving.telemetry import Telemetry

LOOK_EVERY_S = 1.0
_OPEN = frozenset(("/", "/livez", "/readyz", "/docs", "/openapi.json", "/favicon.ico", "/ping", "/health",
                   "/v2/health/live", "/v2/health/ready"))  # fmt: skip
_OPEN_BELOW = ("/docs/assets/", "/problems/", "/page/")
_SCOPES: dict[str, Right] = {"/v1/observations": "ingest", "/v1/models/reload": "admin"}
OPEN_HERE = frozenset(("/metrics",))
"""Open to callers on this very machine, and to every key."""
_PROXIED = (b"forwarded", b"x-forwarded-for", b"x-real-ip", b"via")
log = logging.getLogger("serving")


def needed(path: str) -> Right | None:
    """What a path needs; None where it is open.

    >>> needed("/v1/observations"), needed("/livez"), needed("/anything")
    ('ingest', None, 'forecast')
    """
    if path in _OPEN or path.startswith(_OPEN_BELOW):
        return None
    return _SCOPES.get(path, "forecast")


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address.

    >>> is_loopback("::1"), is_loopback("localhost"), is_loopback("0.0.0.0")
    (True, True, False)
    """
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def check_reach(settings: Settings) -> None:
    """Refuses to be reached by others without keys.

    Raises:
        RequestError: the address is open to others, no key is there, and nobody said that this is meant.
        DeclarationError: the file of keys cannot be read, or is named and not there.
    """
    path = settings.key_file
    if settings.keys_file is not None and not path.exists():
        raise DeclarationError(f"no file of keys at {path}", "the file that FORECAST_KEYS_FILE names", ADD_A_KEY)
    Keys.read(path)
    if is_loopback(settings.host) or path.exists() or settings.allow_open:
        return
    raise RequestError(
        f"{settings.host} can be reached from other machines, and no API key is set up",
        "a key, or an address of this machine only (127.0.0.1)",
        f"{ADD_A_KEY}; or say --allow-open (FORECAST_ALLOW_OPEN=true) where a proxy asks for passwords already",
    )


ADD_A_KEY = "make one with `forecast keys add --name NAME --scope forecast`"


class Access:
    """The keys of a service; read again when their file changes.

    Args:
        path: of the file. As long as it was never there, everything is open; one that vanishes opens nothing.
        rate_per_minute: of a key that has no limit of its own; 0 is none.
    """

    def __init__(self, path: Path, rate_per_minute: int) -> None:
        self._path, self._rate = path, rate_per_minute
        self.rates = Rates()
        self._ring: KeyRing | None = None
        self._seen: tuple[int, int, int] | None = None
        self._look_at = 0.0
        self._look()

    @property
    def closed(self) -> bool:
        """Whether a key is needed."""
        return self._ring is not None

    def of(self, token: str) -> Key | None:
        """Whose key this is."""
        return self._ring.of(token) if self._ring is not None else None

    def rate(self, key: Key) -> int:
        """Requests per minute that a key may make; 0: as many as it likes."""
        return self._rate if key.rate_per_minute is None else key.rate_per_minute

    def refresh(self) -> None:
        """Looks at the file, once a second at the most."""
        now = time.monotonic()
        if now >= self._look_at:
            self._look_at = now + LOOK_EVERY_S
            self._look()

    def _look(self) -> None:
        try:
            found = self._path.stat()
        except OSError:
            return
        seen = (found.st_mtime_ns, found.st_ino, found.st_size)
        if seen == self._seen:
            return
        self._seen = seen
        try:
            keys = Keys.read(self._path)
        except DeclarationError as error:
            log.error("%s; %s", error, "the keys of before stay" if self.closed else "nobody is let in")
            self._ring = self._ring or KeyRing(Keys())
            return
        self._ring = KeyRing(keys)
        self.rates.keep({key.id for key in keys.keys})
        log.info("%d keys read from %s", len(keys.keys), self._path)


class Guard:
    """ASGI middleware: lets a request in by its key, or answers 401, 403 or 429."""

    def __init__(self, app: ASGIApp, access: Access, telemetry: Telemetry) -> None:
        self.app, self.access, self.telemetry = app, access, telemetry

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on, where its key has the scope that its path needs."""
        self.access.refresh()
        if scope["type"] == "http" and self.access.closed:
            right = needed(scope["path"])
            if right is not None and not _scrape_from_here(scope):
                refused = self._refusal(scope, right)
                if refused is not None:
                    name, detail, headers = refused
                    self.telemetry.refusal(name)
                    await problem(scope, name, detail, headers=headers)(scope, receive, send)
                    return
        await self.app(scope, receive, send)

    def _refusal(self, scope: Scope, right: Right) -> tuple[str, str, dict[str, str]] | None:
        token = _token(scope)
        key = self.access.of(token) if token else None
        if key is None:
            what = "this key is not known here" if token else "this service asks for a key"
            challenge = 'Bearer realm="forecast"' + (', error="invalid_token"' if token else "")
            detail = f"{what}; send `Authorization: Bearer fk_...` or `X-API-Key: fk_...`."
            return "unauthorized", detail, {"WWW-Authenticate": challenge}
        state = scope.setdefault("state", {})
        state["key"] = key.id
        if not (right in key.scopes or "admin" in key.scopes or scope["path"] in OPEN_HERE):
            have = ", ".join(key.scopes)
            return "forbidden", f"key {key.id} may do {have}; this address needs `{right}`.", {}
        per_minute = self.access.rate(key)
        if not per_minute:
            return None
        left = self.access.rates.take(key.id, per_minute)
        state["headers"] = left.headers
        if left.allowed:
            return None
        detail = f"key {key.id} may ask {per_minute} times a minute; wait {left.wait_s} s."
        return "too-many", detail, {"Retry-After": str(left.wait_s)}


def _token(scope: Scope) -> str:
    """The key that a request brings; empty without one."""
    for name, value in scope["headers"]:
        if name == b"authorization":
            kind, _, token = value.partition(b" ")
            if kind.lower() == b"bearer":
                return str(token.strip()[:200].decode("latin-1"))
        elif name == b"x-api-key":
            return str(value.strip()[:200].decode("latin-1"))
    return ""


def _scrape_from_here(scope: Scope) -> bool:
    """Whether Prometheus on this very machine asks for its numbers; through a proxy, it does not count as here."""
    if scope["path"] not in OPEN_HERE:
        return False
    client = scope.get("client") or ("",)
    return is_loopback(client[0]) and not any(name in _PROXIED for name, _ in scope["headers"])
