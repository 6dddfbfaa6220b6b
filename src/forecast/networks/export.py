"""A network written down as an ONNX graph, with an example of what torch answers; what serves it needs no torch."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from forecast.networks import sketches
from forecast.networks.arrays import Arrays, state_arrays
from forecast.networks.example import example_windows
from forecast.networks.network import DemandNetwork
from forecast.networks.onnx_runtime import (
    ANSWER,
    ANY,
    EXAMPLE,
    GRAPH,
    INPUTS,
    PEERS,
    TOLERANCE,
    WEIGHTS_DIGEST,
    Floats,
    Graph,
    largest_difference,
    session,
    weights_digest,
)
from forecast.networks.recurrent import RecurrentDecoder, RecurrentLayer
from forecast.networks.written_kernel import TRANSLATIONS, WrittenKernel

SHOWN_WINDOWS, SHOWN_HOURS = 3, 7
"""Sizes of the batch that is traced: each side that stays free has another one, and none is 1."""


class _Hours(nn.Module):
    """A network whose steps ahead come hour by hour, (B, hours, steps of an hour · F): hours are plain to count."""

    def __init__(self, network: DemandNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, past: Tensor, past_mask: Tensor, future: Tensor, future_mask: Tensor, *rest: Tensor) -> Tensor:
        stride = self.network.stride
        batch, hours, wide = future.shape
        future, future_mask = (side.reshape(batch, hours * stride, wide // stride) for side in (future, future_mask))
        answer: Tensor = self.network(past, past_mask, future, future_mask, *rest)
        return answer


def is_stepwise(network: DemandNetwork) -> bool:
    """Whether the decoder hears itself step by step: its graph holds so many steps, and answers fewer as well."""
    return isinstance(network.decoder, RecurrentDecoder) and network.decoder.autoregressive


def exported(network: DemandNetwork, steps: int | None) -> Arrays:
    """A graph and its example, as `GraphRuntime.restore` reads them beside the weights.

    Args:
        network: trained; used in evaluation mode.
        steps: the horizon that the graph is for; where None any number of whole hours, or what a decoder that hears
            itself learned.
    """
    network.eval()
    steps = network.shape.horizon if steps is None and is_stepwise(network) else steps
    asked = ANY if steps is None else str(steps)
    shown = steps if steps is not None else network.shape.horizon
    windows = example_windows(network, shown)
    with torch.inference_mode():
        wanted: npt.NDArray[np.float32] = network(*(torch.from_numpy(array) for array in windows.values())).numpy()
    digest = np.frombuffer(bytes.fromhex(weights_digest(state_arrays(network))), dtype=np.uint8)
    example: Arrays = {**windows, ANSWER: wanted, WEIGHTS_DIGEST: digest}
    data = graph(network, steps)
    if not _answers(data, network.stride if steps is None else 1, windows, wanted) and sketches.forget():
        # What reads it would refuse it: a sketch is given up for the network itself.
        data = graph(network, steps)
    written: Arrays = {f"{GRAPH}/{asked}": np.frombuffer(data, dtype=np.uint8)}
    return written | {f"{EXAMPLE}/{asked}/{name}": array for name, array in example.items()}


def graph(network: DemandNetwork, steps: int | None) -> bytes:
    """The ONNX graph of a network, weights inside; windows, and without `steps` hours ahead, may be any number.

    The recurrent parts are ONNX's own LSTM, GRU and RNN. Nothing of the machine that wrote it stays in the file. Of
    networks that differ in their weights only, one is traced in a process (see `sketches`).
    """
    stride = network.stride
    shown = example_windows(network, SHOWN_HOURS * stride if steps is None else steps, SHOWN_WINDOWS)
    inputs = {name: torch.from_numpy(array) for name, array in shown.items()}
    if network.neighbours is None:
        inputs.pop(PEERS)
    asked: nn.Module = _written(network)
    if steps is None:
        asked = _Hours(_written(network))
    key = (network.config.model_dump_json(), network.shape.model_dump_json(), steps)
    known = sketches.of(key, asked)
    if known is not None:
        return known
    if steps is None:
        for name in ("future", "future_mask"):
            inputs[name] = inputs[name].reshape(SHOWN_WINDOWS, SHOWN_HOURS, -1)
    free = torch.export.Dim.DYNAMIC
    sides = [{0: free, 1: free} if steps is None and name.startswith("future") else {0: free} for name in inputs]
    if isinstance(asked, _Hours):
        shapes: Any = (*sides[:4], tuple(sides[4:]))
    else:
        shapes = tuple(sides)
    with _quietly(), torch.no_grad():
        program = torch.onnx.export(
            asked, tuple(inputs.values()), input_names=[name for name in INPUTS if name in inputs],
            output_names=[ANSWER], dynamic_shapes=shapes, dynamo=True, optimize=False, verbose=False,
            custom_translation_table=TRANSLATIONS,
        )  # fmt: skip
    assert program is not None
    written = _bare(program.model_proto)
    sketches.keep(key, written, asked)
    return written


def _answers(data: bytes, stride: int, windows: Mapping[str, Floats], wanted: Floats) -> bool:
    try:
        return largest_difference(Graph(session(data), stride)(windows), wanted) <= TOLERANCE
    except Exception:  # ONNX Runtime raises classes of its own; whoever loads the graph says what is wrong with it
        return False


def _written(network: DemandNetwork) -> DemandNetwork:
    """A copy whose recurrent kernels are ONNX's own."""
    copied = deepcopy(network)
    for part in copied.modules():
        if isinstance(part, RecurrentLayer):
            part.kernel = WrittenKernel(part.kernel)
    return copied


def _bare(model: Any) -> bytes:
    """The graph without the exporter's notes: they hold the source's lines and the paths of this machine."""
    graphs = [model.graph, *model.functions]
    model.doc_string = ""
    del model.metadata_props[:]
    for one in graphs:
        one.doc_string = ""
        del one.metadata_props[:]
        for node in one.node:
            node.doc_string = ""
            del node.metadata_props[:]
    for value in (*model.graph.value_info, *model.graph.input, *model.graph.output, *model.graph.initializer):
        value.doc_string = ""
        del value.metadata_props[:]
    written: bytes = model.SerializeToString()
    return written


@contextmanager
def _quietly() -> Iterator[None]:
    """The exporter tells of packages that it misses and of what it tries; none of it helps a user."""
    log = logging.getLogger("torch.onnx")
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(before)
