"""`Key`: the key of an origin, which shows in no text, and `Carrier`, which puts it on a request at the last step."""

from __future__ import annotations

import urllib.request
from dataclasses import dataclass

import httpx
from pydantic import SecretStr


@dataclass(frozen=True)
class Key:
    """The key of an origin; its secret shows in no text.

    Attributes:
        setting: the field of `Settings` that holds it.
        secret: the key, None where none is set.
        parameter: the query parameter that carries it.
        page: where one gets a key.
        required: whether the origin answers nobody without one.
    """

    setting: str
    secret: SecretStr | None
    parameter: str
    page: str
    required: bool = True

    @property
    def variable(self) -> str:
        """The environment variable that sets it."""
        return f"FORECAST_{self.setting.upper()}"

    @property
    def value(self) -> str:
        """The key itself, "" where none is set."""
        return self.secret.get_secret_value().strip() if self.secret else ""

    def hidden(self, text: str) -> str:
        """A text in which the key is replaced by stars."""
        return text.replace(self.value, "***") if self.value else text


class Carrier(httpx.BaseTransport):
    """Puts the key on at the last step, so that neither httpx's log nor its exceptions ever hold it.

    A transport of one's own switches httpx's reading of HTTPS_PROXY and NO_PROXY off; they are read here instead.
    """

    def __init__(self, key: Key | None) -> None:
        self._key = key
        self._ways: dict[str | None, httpx.HTTPTransport] = {}

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url
        if self._key and self._key.value:
            url = url.copy_merge_params({self._key.parameter: self._key.value})
        keyed = httpx.Request(request.method, url, headers=request.headers, extensions=request.extensions)
        return self._way(url).handle_request(keyed)

    def _way(self, url: httpx.URL) -> httpx.HTTPTransport:
        proxies = {} if urllib.request.proxy_bypass(url.host) else urllib.request.getproxies()
        proxy = proxies.get(url.scheme) or proxies.get("all")
        if proxy not in self._ways:
            self._ways[proxy] = httpx.HTTPTransport(proxy=proxy if not proxy or "://" in proxy else f"http://{proxy}")
        return self._ways[proxy]

    def close(self) -> None:
        for way in self._ways.values():
            way.close()
