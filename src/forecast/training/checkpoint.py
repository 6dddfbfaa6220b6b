"""Checkpoints: everything that an epoch starts from, written so that a kill at any moment leaves a whole one."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save
from torch.optim import Optimizer

from forecast.errors import ModelFolderError

Arrays = dict[str, npt.NDArray[Any]]


@dataclass
class Progressed:
    """Where a stage of training stands.

    Attributes:
        arrays: weights ("network/…"), averaged weights ("average/…"), best weights ("best/…"), moments ("optimiser/…").
        notes: epoch, history, best epoch, patience; plain JSON.
    """

    arrays: Arrays
    notes: dict[str, Any]


def write(path: Path, key: str, state: Progressed) -> None:
    """Replaces the checkpoint in one step; `key` names recipe, data and task.

    Raises:
        OSError: the system refused; the checkpoint before stays.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    data = save(state.arrays, metadata={"key": key, "notes": json.dumps(state.notes)})
    try:
        with fresh.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        error.filename = str(path)
        raise


def read(path: Path, key: str) -> Progressed | None:
    """The checkpoint, or None when there is none for this key.

    Raises:
        ModelFolderError: the file is broken.
    """
    if not path.exists():
        return None
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            if metadata.get("key") != key:
                return None
            return Progressed({name: file.get_tensor(name) for name in file.keys()}, json.loads(metadata["notes"]))  # noqa: SIM118
    except (OSError, SafetensorError, ValueError, KeyError) as error:
        raise ModelFolderError(
            f"checkpoint {path} cannot be read ({error})", "a checkpoint of this version", "delete it to start again"
        ) from error


def optimiser_arrays(optimiser: Optimizer) -> Arrays:
    """The optimiser's moments and step counts by parameter number and name."""
    state = optimiser.state_dict()["state"]
    return {
        f"optimiser/{number}/{name}": np.asarray(
            value.detach().cpu().numpy() if torch.is_tensor(value) else value
        ).copy()
        for number, values in state.items()
        for name, value in values.items()
        if value is not None
    }


def restore_optimiser(optimiser: Optimizer, arrays: Arrays) -> None:
    """Puts the moments back."""
    state: dict[int, dict[str, Any]] = {}
    for name, array in arrays.items():
        if name.startswith("optimiser/"):
            _, number, field = name.split("/")
            state.setdefault(int(number), {})[field] = torch.from_numpy(np.array(array))
    optimiser.load_state_dict({**optimiser.state_dict(), "state": state})
