"""A forecaster's folder: `forecaster.json`, `weights.safetensors`, and a manifest of their digests. No pickle."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path

from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from forecast.errors import ModelFolderError
from forecast.forecaster.models import Arrays
from forecast.forecaster.spec import ForecasterSpec

SPEC, WEIGHTS, MANIFEST = "forecaster.json", "weights.safetensors", "manifest.json"
_BESIDE = "report.json"  # a retraining's steps keep it in the same folder
_ADVICE = "train again, or fetch the folder again from the registry"


def write(folder: Path, spec: ForecasterSpec, arrays: Arrays) -> None:
    """Writes the three files beside the folder, then swaps: what was stored stays whole until its successor is.

    Raises:
        ModelFolderError: the folder holds other files.
        OSError: the system refused; the folder is as it was.
    """
    check_target(folder)
    target = folder.resolve()
    fresh = target.with_name(f".{target.name}.new-{os.getpid()}")
    weights = save({name: arrays[name].copy(order="C") for name in sorted(arrays)})
    files = {SPEC: spec.model_dump_json(indent=1).encode(), WEIGHTS: weights}
    manifest = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    try:
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True)
        for name, data in {**files, MANIFEST: json.dumps(manifest, indent=1).encode()}.items():
            _store(fresh / name, data)
        _swap(fresh, target)
    except OSError as error:
        error.filename = str(folder)
        raise
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def check_target(folder: Path) -> None:
    """Whether a model may be written there: nothing yet, an empty folder, or a model's folder.

    Raises:
        ModelFolderError: a file, or a folder that holds other files.
    """
    if not folder.exists():
        return
    if not folder.is_dir():
        raise ModelFolderError(f"{folder} is a file", "a folder for the model", "name another folder")
    held = {path.name for path in folder.iterdir()}
    parts = {SPEC, WEIGHTS, MANIFEST}
    others = sorted(held - parts - {_BESIDE}) if held & parts else sorted(held)
    if others:
        found = f"{folder} holds other files ({', '.join(others[:3])}) and is not overwritten"
        raise ModelFolderError(found, "a new or empty folder, or a model's", "name another folder")


def verify(folder: Path) -> dict[str, str]:
    """The digests of the folder's files, when all are as they were written.

    Raises:
        ModelFolderError: a file is missing or changed.
    """
    if not folder.is_dir():
        raise ModelFolderError(f"no folder {folder}", "a folder that `forecast train --out` wrote", "check --model")
    try:
        manifest: dict[str, str] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        for name in (SPEC, WEIGHTS):
            if _digest(folder / name) != manifest[name]:
                raise ModelFolderError(f"{folder / name} is not as it was written", "its manifest's digest", _ADVICE)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelFolderError(f"{folder} is not a whole model folder ({error})", "its three files", _ADVICE) from error
    return manifest


def read_spec(folder: Path) -> ForecasterSpec:
    """What the folder's forecaster is; no weight is read.

    Raises:
        ModelFolderError: the file is missing or does not fit this version.
    """
    try:
        return ForecasterSpec.model_validate_json((folder / SPEC).read_text(encoding="utf-8"))
    except (OSError, ValidationError, UnicodeDecodeError) as error:
        told = str(error).splitlines()[0]
        found = f"{folder / SPEC} cannot be read ({told})"
        raise ModelFolderError(found, "this version's format 2", _ADVICE) from error


def read_arrays(folder: Path) -> Arrays:
    """The folder's arrays.

    Raises:
        ModelFolderError: the file is missing or broken.
    """
    try:
        return dict(load_file(folder / WEIGHTS))
    except (OSError, SafetensorError) as error:
        raise ModelFolderError(f"{folder / WEIGHTS} cannot be read ({error})", "safetensors", _ADVICE) from error


def _store(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _swap(fresh: Path, target: Path) -> None:
    aside = target.with_name(f".{target.name}.old-{os.getpid()}")
    if target.exists():
        shutil.rmtree(aside, ignore_errors=True)
        target.rename(aside)
    try:
        fresh.rename(target)
    except BaseException:
        if aside.exists():
            aside.rename(target)
        raise
    shutil.rmtree(aside, ignore_errors=True)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
