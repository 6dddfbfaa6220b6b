"""Windows that a network could see, made up from what its own scaling learned: no data is needed to try it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from forecast.networks.network import DemandNetwork
from forecast.networks.onnx_runtime import INPUTS
from forecast.networks.scaling import WindowScaling

Floats = npt.NDArray[np.float32]
WINDOWS, KNOWN = 8, 0.9
BLIND, NEW = 1, 2
"""Of the windows, the one in which nothing of the load is known and the one that knows a day of it."""


def example_windows(network: DemandNetwork, steps: int, windows: int = WINDOWS, seed: int = 0) -> dict[str, Floats]:
    """The six inputs of `DemandNetwork.forward` by the names of a graph's inputs.

    A tenth is masked, and NaN below the mask: an answer that touches it shows. One window knows no load, one a day.

    Args:
        network: its shape and its scaling say what is usual.
        steps: H.
        windows: B.
        seed: of the draw.
    """
    shape, rng = network.shape, np.random.default_rng(seed)
    past, past_mask = _side(network.scaling, "past", (windows, shape.context), rng)
    future, future_mask = _side(network.scaling, "future", (windows, steps), rng)
    past_mask[BLIND:NEW, :, 0] = 0.0
    past_mask[NEW : NEW + 1, : -shape.day_steps, 0] = 0.0
    past[past_mask == 0] = np.nan
    if shape.hour_columns is not None:
        first, end = shape.hour_columns
        hour_BH = (np.arange(windows)[:, None] + np.arange(steps) // shape.steps_per_hour) % (end - first)
        future[..., first:end] = np.eye(end - first, dtype=np.float32)[hour_BH]
        future_mask[..., first:end] = 1.0
    future[future_mask == 0] = np.nan
    static, static_mask = _side(network.scaling, "static", (windows,), rng)
    static[static_mask == 0] = np.nan
    return dict(zip(INPUTS, (past, past_mask, future, future_mask, static, _peers(network, windows, rng)), strict=True))


def _side(scaling: WindowScaling, name: str, sizes: tuple[int, ...], rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Columns as usual as the training windows', in their own units, and their mask."""
    mean, std = (getattr(scaling, f"{name}_{part}").numpy() for part in ("mean", "std"))
    x = mean + std * rng.normal(size=(*sizes, len(mean)))
    if name != "static":
        load = (scaling.past_load_P if name == "past" else scaling.future_load_F).numpy()
        x = np.where(load, scaling.level.item() + scaling.scale.item() * x, x)
    return x.astype(np.float32), (rng.random(x.shape) < KNOWN).astype(np.float32)


def _peers(network: DemandNetwork, windows: int, rng: np.random.Generator) -> Floats:
    """States of the other series, some unknown; the last window is a stranger's."""
    shape = network.shape
    if not shape.peers:
        return np.zeros((windows, 0, 0), dtype=np.float32)
    peers_BSD = rng.normal(size=(windows, shape.peers, shape.peer_columns + 1)).astype(np.float32)
    peers_BSD[rng.random((windows, shape.peers)) > KNOWN] = np.nan
    peers_BSD[..., -1] = np.eye(shape.peers, dtype=np.float32)[np.arange(windows) % shape.peers]
    peers_BSD[-1, :, -1] = 0.0
    return peers_BSD
