"""What a registry and its cache need no longer: old versions that no alias names, and copies that nobody reads."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from urllib.parse import unquote

import pandas as pd

from forecast.errors import RegistryError
from forecast.registry.folders import folder_digest, is_whole
from forecast.registry.reader import pointers
from forecast.registry.serving import GRAPHS
from forecast.registry.versions import ModelVersion
from forecast.settings import Settings

LOGGED = "models:/"
"""Before the id of a logged model, as a version names where it is from."""
FETCHING = pd.Timedelta(days=1)
"""What a broken-off fetch left is older than any fetch takes."""


def surplus(versions: Sequence[ModelVersion], keep: int | None) -> list[ModelVersion]:
    """The versions that no alias names, but for the newest so many of these.

    Args:
        versions: newest first.
        keep: None keeps all.
    """
    if keep is None:
        return []
    return [one for one in versions if not one.aliases][keep:]


def drop(versions: Iterable[ModelVersion], settings: Settings) -> list[ModelVersion]:
    """Takes versions out of the registry, with the models that they name; their runs and figures stay in MLflow.

    A version that was given an alias meanwhile stays. `mlflow gc` removes the models' files for good.

    Raises:
        RegistryError: the registry does not answer.
    """
    from forecast.registry.store import open_store

    client, gone = open_store(settings).client, []
    for one in versions:
        held = client.get_model_version(one.name, one.version)
        if held.aliases or one.version in map(str, client.get_registered_model(one.name).aliases.values()):
            continue
        client.delete_model_version(one.name, one.version)
        gone.append(one)
        # A model may be registered twice; then it is still somebody's.
        others = client.search_model_versions(f"run_id = '{held.run_id}'")
        if held.source.startswith(LOGGED) and held.source not in [other.source for other in others]:
            client.delete_logged_model(held.source.removeprefix(LOGGED))
    return gone


def unread(settings: Settings, before: pd.Timestamp) -> list[Path]:
    """Folders of the cache that nobody has read since a moment, but for those of versions that an alias names.

    Raises:
        RegistryError: the registry does not answer: what it names is not known.
    """
    cache = settings.cache
    models = [one for one in _folders(cache) if one.name != GRAPHS and not one.name.startswith(".")]
    named = {place: digest for one in models for place, digest in _named(one, settings).items()}
    digests = {digest[:16] for digest in named.values()}
    copies = [copy for one in models for copy in _folders(one) if copy not in named]
    graphs = [one for one in _folders(cache / GRAPHS) if one.name not in digests]
    left = [one for one in _folders(cache) if one.name.startswith(".fetching-")]
    old = [one for one in (*copies, *graphs) if last_used(one) < before]
    return sorted([*old, *(one for one in left if last_used(one) < before - FETCHING)])


def last_used(path: Path) -> pd.Timestamp:
    """When anything of a file or folder was last written, or read as far as the file system keeps that (UTC)."""
    every = [path, *path.rglob("*")] if path.is_dir() else [path]
    stamps = [max(stat.st_mtime_ns, stat.st_atime_ns if one.is_file() else 0)
              for one in every for stat in [one.lstat()]]  # fmt: skip
    return pd.Timestamp(max(stamps), tz="UTC")


def bytes_of(path: Path) -> int:
    """Size of a file, or of all files of a folder."""
    every = path.rglob("*") if path.is_dir() else [path]
    return sum(one.lstat().st_size for one in every if one.is_file())


def remove(path: Path) -> None:
    """Removes a file or a folder.

    Raises:
        RegistryError: the system refuses.
    """
    try:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise RegistryError(f"{path} cannot be removed ({error.strerror})", "rights to remove it") from error


def _named(model: Path, settings: Settings) -> dict[Path, str]:
    """Copies of versions that an alias names, with their digests."""
    aliased = {one.version: one.digest for one in pointers(unquote(model.name), settings).values()}
    named = {}
    for copy in _folders(model):
        version = unquote(copy.name.rpartition("-")[0])
        if version in aliased and is_whole(copy) and folder_digest(copy).startswith(aliased[version]):
            named[copy] = folder_digest(copy)
    return named


def _folders(place: Path) -> list[Path]:
    return [one for one in place.iterdir() if one.is_dir()] if place.is_dir() else []


__all__ = ["RegistryError", "bytes_of", "drop", "last_used", "remove", "surplus", "unread"]
