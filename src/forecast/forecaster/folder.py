"""A forecaster's folder: `forecaster.json`, `weights.safetensors`, graphs of its networks, a manifest of digests.

No pickle. A folder without graphs is whole, too.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from forecast.errors import ModelFolderError
from forecast.forecaster.models import Arrays
from forecast.forecaster.spec import ForecasterSpec

SPEC, WEIGHTS, MANIFEST = "forecaster.json", "weights.safetensors", "manifest.json"
GRAPH_FILE = re.compile(r"graph-[\w.-]*\.(onnx|safetensors)")
"""A network's graph, or what torch answered to its example (`forecast.forecaster.graphs`)."""
_BESIDE = "report.json"  # a retraining's steps keep it in the same folder
_ADVICE = "train again, or fetch the folder again from the registry"


def write(folder: Path, spec: ForecasterSpec, arrays: Arrays, graphs: Mapping[str, bytes]) -> None:
    """Writes all files beside the folder, then swaps: what was stored stays whole until its successor is.

    Args:
        folder: new, empty, or a model's.
        spec, arrays: what the forecaster is.
        graphs: files of its networks' graphs by name.

    Raises:
        ModelFolderError: the folder holds other files.
        OSError: the system refused; the folder is as it was.
    """
    check_target(folder)
    target = folder.resolve()
    fresh = target.with_name(f".{target.name}.new-{os.getpid()}")
    weights = save({name: arrays[name].copy(order="C") for name in sorted(arrays)})
    files = {SPEC: spec.model_dump_json(indent=1).encode(), WEIGHTS: weights, **graphs}
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
    ours = {name for name in held if name in parts or name == _BESIDE or GRAPH_FILE.fullmatch(name)}
    others = sorted(held - ours) if held & parts else sorted(held)
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
        for name in {SPEC, WEIGHTS, *manifest}:
            if name not in (SPEC, WEIGHTS) and not GRAPH_FILE.fullmatch(name):
                raise ValueError(f"'{name}' is no part of a model")
            if _digest(folder / name) != manifest[name]:
                raise ModelFolderError(f"{folder / name} is not as it was written", "its manifest's digest", _ADVICE)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelFolderError(f"{folder} is not a whole model folder ({error})", "all its files", _ADVICE) from error
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


def read_graphs(folder: Path, names: Iterable[str]) -> dict[str, bytes]:
    """Those of the named files that belong to graphs; none in a folder of an earlier version, or of a baseline.

    Raises:
        ModelFolderError: one of them cannot be read.
    """
    try:
        return {name: (folder / name).read_bytes() for name in sorted(names) if GRAPH_FILE.fullmatch(name)}
    except OSError as error:
        raise ModelFolderError(f"the graphs in {folder} cannot be read ({error})", "their files", _ADVICE) from error


def _store(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def store_whole(path: Path, data: bytes) -> None:
    """Writes one file beside its place, then moves it there: nobody sees a part of it."""
    fresh = path.with_name(f".{path.name}.new-{os.getpid()}")
    try:
        _store(fresh, data)
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)


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
