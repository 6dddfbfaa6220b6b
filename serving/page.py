"""`/`: the page for the person on shift, from plain files on this machine; nothing is built or fetched elsewhere."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

FILES = Path(__file__).parent / "page"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class PageFiles(StaticFiles):
    """The page's files; a browser keeps them and asks whether they are still the same."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """A file with its ETag, or 304."""
        answer = await super().get_response(path, scope)
        answer.headers["cache-control"] = "no-cache"
        answer.headers["content-security-policy"] = POLICY
        return answer


def install(app: FastAPI) -> None:
    """Adds the page at `/` and its files below `/page`."""
    files = PageFiles(directory=FILES)

    async def page(request: Request) -> Response:
        return await files.get_response("index.html", request.scope)

    app.mount("/page", files, name="page")
    app.add_api_route("/", page, methods=["GET", "HEAD"], include_in_schema=False)
