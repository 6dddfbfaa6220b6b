"""`forecast serve`: the HTTP service."""

from __future__ import annotations

from typing import Annotated

import typer

from forecast.cli.console import console


def serve(
    model: Annotated[
        str | None, typer.Option(help="Model folder or models:/NAME@alias [the registered champion].")
    ] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on [127.0.0.1].")] = None,
    port: Annotated[int | None, typer.Option(help="Port [8000].")] = None,
    allow_open: Annotated[
        bool | None, typer.Option("--allow-open", help="Let other machines in without a key.")
    ] = None,
) -> None:
    """Serve the champion over HTTP: POST /v1/forecasts, GET /v1/models, /livez, /readyz, /docs.

    Example: `forecast serve --model model --port 8000`, then open http://127.0.0.1:8000 (the page) or /docs (the API)
    """
    import serving
    from forecast.registry.reader import resolve
    from forecast.settings import Settings

    given = {"model": model, "host": host, "port": port, "allow_open": allow_open or None}
    settings = Settings.read(**{name: value for name, value in given.items() if value is not None})
    if model is not None:
        # A model that somebody asked for by name must be there; a champion may come later.
        resolve(model, settings)
    serving.run(settings, tell=_tell)


def _tell(address: str) -> None:
    console.print(f"Serving on {address} (docs at /docs). Ctrl+C stops.")
