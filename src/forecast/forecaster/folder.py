"""A forecaster's folder: `forecaster.json`, `weights.safetensors`, and a manifest of their digests. No pickle."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from forecast.errors import ModelFolderError
from forecast.forecaster.models import Arrays
from forecast.forecaster.spec import ForecasterSpec

SPEC, WEIGHTS, MANIFEST = "forecaster.json", "weights.safetensors", "manifest.json"
_ADVICE = "train again, or fetch the folder again from the registry"


def write(folder: Path, spec: ForecasterSpec, arrays: Arrays) -> None:
    """Writes the three files; the manifest last, so a folder that broke off half-way is never taken for whole."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MANIFEST).unlink(missing_ok=True)
    (folder / SPEC).write_text(spec.model_dump_json(indent=1), encoding="utf-8")
    save_file({name: arrays[name].copy(order="C") for name in sorted(arrays)}, folder / WEIGHTS)
    manifest = {name: _digest(folder / name) for name in (SPEC, WEIGHTS)}
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")


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
        raise ModelFolderError(found, "this version's format 1", _ADVICE) from error


def read_arrays(folder: Path) -> Arrays:
    """The folder's arrays.

    Raises:
        ModelFolderError: the file is missing or broken.
    """
    try:
        return dict(load_file(folder / WEIGHTS))
    except (OSError, SafetensorError) as error:
        raise ModelFolderError(f"{folder / WEIGHTS} cannot be read ({error})", "safetensors", _ADVICE) from error


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
