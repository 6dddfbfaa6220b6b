"""Model folders on their way out of the registry: how the cache takes one in, whole or not at all."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from forecast.errors import ModelFolderError, RegistryError
from forecast.forecaster import verify
from forecast.forecaster.folder import MANIFEST

FOLDER = "forecaster"
"""Name of the forecaster's folder among the artifacts of an MLflow model."""


def folder_digest(folder: Path) -> str:
    """SHA-256 of the manifest, which itself holds the digest of every other file."""
    return hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest()


def copy_local(source: str, room: Path) -> Path | None:
    """The forecaster's folder of an MLflow model that lies on this machine, copied into `room`; None where it is not.

    Args:
        source: URI or path of the model's files.
        room: an empty folder.
    """
    parts = urlsplit(source)
    folder = Path(unquote(parts.path) if parts.scheme == "file" else source) / "artifacts" / FOLDER
    return Path(shutil.copytree(folder, room / FOLDER)) if folder.is_dir() else None


def cache_place(cache: Path, name: str, version: str, digest: str) -> Path:
    """Where the cache keeps one version; a registry that was made anew has other digests."""
    return cache / quote(name, safe=" ") / f"{quote(version, safe='')}-{digest[:16] or 'unsigned'}"


def is_whole(folder: Path) -> bool:
    """Whether a cached folder is there and unchanged."""
    try:
        verify(folder)
    except ModelFolderError:
        return False
    return True


@contextmanager
def staging(cache: Path) -> Iterator[Path]:
    """An empty folder beside the cached ones, gone afterwards.

    Raises:
        RegistryError: the cache cannot be written.
    """
    try:
        cache.mkdir(parents=True, exist_ok=True)
        room = tempfile.mkdtemp(prefix=".fetching-", dir=cache)
    except OSError as error:
        raise RegistryError(
            f"the cache {cache} cannot be written ({error.strerror})", "a folder that this user may write",
            "set FORECAST_MLRUNS to one",
        ) from error  # fmt: skip
    try:
        yield Path(room)
    finally:
        shutil.rmtree(room, ignore_errors=True)


def keep(fetched: Path, place: Path, digest: str) -> Path:
    """Puts a fetched folder in its place in one step, after checking it.

    Args:
        fetched: on the cache's own disk.
        place: where it belongs.
        digest: that the registry states; empty where it states none.

    Raises:
        ModelFolderError: it is broken, or another one than was registered.
    """
    verify(fetched)
    found = folder_digest(fetched)
    if digest and found != digest:
        raise ModelFolderError(
            f"the fetched folder has the digest {found[:16]}", f"{digest[:16]}, as registered",
            "its files were changed in the artifact store: train and register again",
        )  # fmt: skip
    place.parent.mkdir(parents=True, exist_ok=True)
    if place.exists() and not is_whole(place):
        shutil.rmtree(place)
    try:
        fetched.rename(place)
    except OSError:
        # Another process was faster; what it put there has the same digest.
        verify(place)
    return place
