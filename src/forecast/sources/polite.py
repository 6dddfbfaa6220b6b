"""`Polite`: one HTTP client for every origin of data; patient, sparing, and silent about keys.

Schedule: a request that fails for a passing reason (no connection, time-out, 408, 429, 5xx, an answer that breaks off
or cannot be read) is repeated after 1, 2, 4, 8 and 16 s, or after what Retry-After says where that is longer; then
`SourceError`. Between requests to one origin lies a fixed pause. No jitter: the same failures give the same waits.
"""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any, Self, TypeVar

import httpx

from forecast import clock
from forecast.errors import SourceError
from forecast.sources.keys import Carrier, Key

T = TypeVar("T")
Params = Sequence[tuple[str, str]]
AGENT = "demand-forecast (electricity demand forecasting; respects Retry-After)"
PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
logger = logging.getLogger(__name__)


class Unreadable(Exception):
    """Raised by a reader: the answer is broken in a way that asking again may mend; the text says how."""


@dataclass(frozen=True)
class Manners:
    """How an origin is asked.

    Attributes:
        pause: seconds between two requests to one origin.
        waits: seconds before each repetition.
        patience: the longest Retry-After that is waited for, in seconds.
        timeout: seconds to connect, and between two pieces of an answer.
        sleep: what waits.
    """

    pause: float = 1.0
    waits: tuple[float, ...] = (1, 2, 4, 8, 16)
    patience: float = 600
    timeout: float = 60
    sleep: Callable[[float], None] = field(default=time.sleep, repr=False)


@dataclass(frozen=True)
class Answer:
    """What an origin answered; `headers` have lower-case names."""

    status: int
    content: bytes = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)

    @property
    def unchanged(self) -> bool:
        """Whether the origin says that nothing changed since the validators were given."""
        return self.status == 304

    @property
    def text(self) -> str:
        """The content as UTF-8; broken bytes become question marks."""
        return self.content.decode("utf-8-sig", errors="replace")

    @property
    def validators(self) -> dict[str, str]:
        """What to hand to the next request for the same thing: ETag and Last-Modified, as far as they are there."""
        return {name: self.headers[name] for name in ("etag", "last-modified") if name in self.headers}


class Polite:
    """Asks one service; a context manager.

    >>> with Polite(Manners()) as web:
    ...     hours = web.json("https://example.org/load", [("from", "2024-01-01")])  # doctest: +SKIP
    """

    def __init__(self, manners: Manners, key: Key | None = None) -> None:
        self.manners, self.key = manners, key
        self._asked: set[str] = set()
        self._client = httpx.Client(
            transport=Carrier(key), timeout=manners.timeout, headers={"User-Agent": AGENT}, follow_redirects=False
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def get(
        self, url: str, params: Params = (), *, validators: Mapping[str, str] | None = None, accept: Iterable[int] = ()
    ) -> Answer:
        """The answer to one question, asked again where that may help.

        Args:
            url: without query.
            params: the query, without the key.
            validators: of the last answer; where nothing changed since, the new one is `unchanged`.
            accept: statuses that are answers here and no errors.

        Raises:
            SourceError: the origin cannot be reached, refuses, or is still busy after the last repetition.
        """
        return self.read(url, lambda answer: answer, params, validators=validators, accept=accept)

    def json(self, url: str, params: Params = ()) -> Any:
        """The answer as JSON; raises `SourceError` also where it is none after the last repetition."""
        return self.read(url, self._parsed, params)

    def read(
        self, url: str, reader: Callable[[Answer], T], params: Params = (), *,
        validators: Mapping[str, str] | None = None, accept: Iterable[int] = (),
    ) -> T:  # fmt: skip
        """What `reader` makes of the answer; where it raises `Unreadable`, the question is asked again."""
        place = _place(url)
        self._ready(place)
        headers, also = _conditions(validators or {}), {*accept, *((304,) if validators else ())}
        for wait in (*self.manners.waits, None):
            try:
                return reader(self._once(url, params, headers, also))
            except (Unreadable, _Passing) as trouble:
                told, asked = self._hidden(str(trouble)), getattr(trouble, "retry_after", 0.0)
                if wait is None or asked > self.manners.patience:
                    raise self._given_up(place, told, asked) from None
                seconds = max(wait, asked)
                logger.info("%s %s; asking again in %g s", place, told, seconds)
                self.manners.sleep(seconds)
        raise AssertionError("the last repetition returns or raises")

    def _ready(self, place: str) -> None:
        """Waits where the origin was asked before."""
        if self.key and self.key.required and not self.key.value:
            raise SourceError(
                f"{place} needs a key and none is set", f"a key in {self.key.variable}", f"get one: {self.key.page}"
            )
        if place in self._asked:
            self.manners.sleep(self.manners.pause)
        self._asked.add(place)

    def _once(self, url: str, params: Params, headers: Mapping[str, str], accept: Iterable[int]) -> Answer:
        place = _place(url)
        try:
            response = self._client.get(url, params=list(params), headers=dict(headers))
        except (httpx.UnsupportedProtocol, httpx.InvalidURL):
            raise SourceError(f"{place} is not an address", "https://host/path", "correct the base URL") from None
        except httpx.RequestError as error:
            raise _Passing(_broken(error, self.manners.timeout)) from None
        if response.status_code in accept or response.is_success:
            return Answer(response.status_code, response.content, dict(response.headers))
        raise self._refusal(place, response)

    def _refusal(self, place: str, response: httpx.Response) -> Exception:
        status, reason = response.status_code, self._hidden(_reason(response))
        told = f"{status}: {reason}" if reason else str(status)
        if status in PASSING:
            return _Passing(f"answered {told}", _retry_after(response))
        if status in (401, 403) and self.key:
            return SourceError(
                f"{place} refuses the key ({told})", "a key that is valid and may read this",
                f"set {self.key.variable}; a key is to be had at {self.key.page}",
            )  # fmt: skip
        if 300 <= status < 400:
            target = response.headers.get("location", "").split("?")[0] or "nowhere"
            return SourceError(f"{place} has moved ({status}, to {target})", "an answer", "correct the base URL")
        return SourceError(
            f"{place} does not accept the request ({told})", "an answer",
            "check what is asked for; if that is right, the interface of this origin has changed",
        )  # fmt: skip

    def _given_up(self, place: str, told: str, asked: float) -> SourceError:
        tries = len(self.manners.waits) + 1
        often = f"asks to wait {asked:g} s" if asked > self.manners.patience else f"failed {tries} times in a row"
        return SourceError(
            f"{place} {often} (last: {told})", "an answer",
            "run it again later: what was stored stays, and reading goes on from there",
        )  # fmt: skip

    def _parsed(self, answer: Answer) -> Any:
        try:
            return json.loads(answer.content)
        except ValueError:
            start = self._hidden(" ".join(answer.text[:80].split()))
            raise Unreadable(f"answered {len(answer.content):,} bytes that are not whole JSON: {start}…") from None

    def _hidden(self, text: str) -> str:
        return self.key.hidden(text) if self.key else text


class _Passing(Exception):
    """A failure that may be over in a moment."""

    def __init__(self, told: str, retry_after: float = 0.0) -> None:
        super().__init__(told)
        self.retry_after = retry_after


def _place(url: str) -> str:
    """Host and port, as messages name an origin."""
    return url.split("://")[-1].split("/")[0].split("@")[-1]


def _conditions(validators: Mapping[str, str]) -> dict[str, str]:
    names = {"etag": "If-None-Match", "last-modified": "If-Modified-Since"}
    return {header: validators[name] for name, header in names.items() if name in validators}


def _retry_after(response: httpx.Response) -> float:
    """Seconds that Retry-After asks for, 0 where it says nothing; a date counts from the origin's own clock."""
    text = response.headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    try:
        until = parsedate_to_datetime(text)
        now = parsedate_to_datetime(response.headers["date"]) if "date" in response.headers else clock.now()
        return max((until - now).total_seconds(), 0.0)
    except (TypeError, ValueError):
        return 0.0


def _broken(error: httpx.RequestError, timeout: float) -> str:
    if isinstance(error, httpx.TimeoutException):
        return f"did not answer within {timeout:g} s"
    if isinstance(error, (httpx.ConnectError, httpx.ProxyError)):
        return f"cannot be reached ({error})"
    return f"broke off in the middle of its answer ({error})"


def _reason(response: httpx.Response) -> str:
    """What the body of a refusal says, without markup, at most 200 characters."""
    try:
        told = response.json()
        for name in ("error", "message", "reason", "code"):
            inner = told.get(name) if isinstance(told, dict) else None
            told = inner if isinstance(inner, (dict, str)) else told
        text = told if isinstance(told, str) else ""
    except ValueError:
        found = re.search(r"<(?:text|message|title)>(.*?)</", response.text, re.IGNORECASE | re.DOTALL)
        text = found[1] if found else re.sub(r"<[^>]*>", " ", response.text)
    return " ".join(text.split())[:200]
