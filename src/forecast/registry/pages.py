"""Where MLflow's pages are."""

from __future__ import annotations

from urllib.parse import quote, urlsplit, urlunsplit

from forecast.registry.purposes import CLASSIC
from forecast.settings import Settings


def ui_of(settings: Settings) -> str:
    """Where MLflow's pages are seen: as the settings say, else at the tracking server, else where `forecast up` and
    `make ui` show them."""
    return page_root(settings) or f"http://127.0.0.1:{settings.mlflow_port}"


def page_root(settings: Settings) -> str | None:
    """The http address of MLflow's pages, without what logs in; None where none is configured.

    >>> page_root(Settings(mlflow_uri="https://me:secret@mlflow.example/base/"))
    'https://mlflow.example/base'
    """
    address = settings.mlflow_page or settings.mlflow_uri
    if not address.startswith(("http://", "https://")):
        return None
    parts = urlsplit(address)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path.rstrip("/"), "", ""))


def version_page(settings: Settings, number: str, name: str | None = None) -> str:
    """The page of a registered version, of the settings' model or of a named one."""
    return f"{ui_of(settings)}/#/models/{quote(name or settings.model_name)}/versions/{number}?{CLASSIC}"
