"""Graphs of every kind of network: torch's answers from ONNX Runtime, at any batch and horizon."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import pytest
import torch

from forecast.errors import ModelFolderError
from forecast.networks import export, sketches
from forecast.networks.configs import NetworkConfig
from forecast.networks.example import example_windows
from forecast.networks.export import exported, graph
from forecast.networks.network import DemandNetwork, build
from forecast.networks.onnx_runtime import INPUTS, TOLERANCE, GraphRuntime, largest_difference
from forecast.networks.runtime import NetworkRuntime
from forecast.networks.shape import NetworkShape
from forecast.recipe import NetworkModel
from forecast.recipes import RECIPES

HOURLY = NetworkShape(
    past_columns=3, future_columns=27, context=168, horizon=24, past_load_columns=(0, 2), future_load_columns=(26,),
    hour_columns=(0, 24),
)  # fmt: skip
TOGETHER = HOURLY.model_copy(update={"static_columns": 2, "peers": 3, "peer_columns": 4, "base_column": 26})
HALF_HOURLY = HOURLY.model_copy(
    update={"context": 2 * 168, "horizon": 48, "level_steps": 2 * 168, "steps_per_hour": 2, "stride": 2}
)
FOUR_A_DAY = HOURLY.model_copy(update={"context": 28, "horizon": 5, "level_steps": 28})
SIDES = ("past_BLP", "past_mask_BLP", "future_BHF", "future_mask_BHF", "static_BS", "peers_BSD")
KERNELS = {"LSTM", "GRU", "RNN"}


@dataclass(frozen=True)
class Case:
    """A network, the steps its graph is for (None: any whole hours), what is asked of it, and its recurrent parts."""

    config: NetworkConfig
    shape: NetworkShape
    asked: tuple[int, ...]
    kernels: dict[str, int]
    steps: int | None = None


def _named(recipe: str) -> NetworkConfig:
    model = RECIPES[recipe].model
    assert isinstance(model, NetworkModel)
    return model.network


def _config(**tree: Any) -> NetworkConfig:
    return NetworkConfig.model_validate(tree)


GRU: dict[str, Any] = {"kind": "gru", "width": 6}
LISTENING = _config(
    encoder=GRU, decoder={"kind": "direct", "width": 8, "same_hour": {}}, outlook={"alone": True},
    neighbours={"heads": 2, "embedding": 4},
)  # fmt: skip
HEARS_ITSELF = _config(
    encoder={"kind": "lstm", "width": 6, "layers": 2, "residual": True},
    outlook={"alone": True},
    decoder={"kind": "recurrent", "width": 8, "autoregressive": True, "attention": {"heads": 1}},
)
BOTH_WAYS = _config(
    encoder={"kind": "rnn", "width": 4, "bidirectional": True},
    decoder={"kind": "recurrent", "cell": "lstm", "width": 8, "attention": {"score": "cosine", "heads": 2}},
)
CASES = {
    "rnn": Case(_named("rnn"), HOURLY, (24, 37, 1), {"RNN": 1}),
    "lstm": Case(_named("lstm"), HOURLY, (24, 37, 1), {"LSTM": 1}),
    "gru": Case(_named("gru"), HOURLY, (24, 37, 1), {"GRU": 1}),
    "attention": Case(_named("attention"), HOURLY, (24, 37, 1), {}),
    "seq2seq": Case(_named("seq2seq"), HOURLY, (24, 37, 1), {"GRU": 2}),
    "transformer": Case(_named("transformer"), HOURLY, (24, 37, 1), {}),
    "convolution": Case(_named("convolution"), HOURLY, (24, 37, 1), {}),
    "neighbours": Case(LISTENING, TOGETHER, (24, 37, 1), {"GRU": 1}),
    "inside-an-hour": Case(_named("attention"), HALF_HOURLY, (48, 74, 2), {}),
    "half-hours": Case(_config(encoder=GRU, decoder={"kind": "attention", "width": 8, "heads": 2, "layers": 1}),
                       HALF_HOURLY, (7,), {"GRU": 1}, steps=7),
    "hears-itself": Case(HEARS_ITSELF, FOUR_A_DAY, (5, 4, 1), {"LSTM": 2, "GRU": 5}),
    "both-ways": Case(BOTH_WAYS, HOURLY, (24, 37, 1), {"RNN": 1, "LSTM": 1}),
}  # fmt: skip


@dataclass(frozen=True)
class Pair:
    """One network twice."""

    torch: NetworkRuntime
    onnx: GraphRuntime
    written: dict[str, npt.NDArray[Any]]

    def windows(self, steps: int, batch: int) -> dict[str, npt.NDArray[np.float32]]:
        return example_windows(self.torch.network, steps, batch, seed=batch)


@pytest.fixture(scope="module")
def made() -> Callable[[str], Pair]:
    """Exports every case once."""
    pairs: dict[str, Pair] = {}

    def make(name: str) -> Pair:
        if name not in pairs:
            case = CASES[name]
            reference = NetworkRuntime(_some_network(case))
            written = dict(exported(reference.network, case.steps))
            runtime = GraphRuntime.restore(reference.settings(), {**reference.arrays(), **written})
            pairs[name] = Pair(reference, runtime, written)
        return pairs[name]

    return make


LONG = {
    "seq2seq",
    "transformer",
    "convolution",
    "neighbours",
    "inside-an-hour",
    "half-hours",
    "rnn",
    "gru",
    "hears-itself",
    "both-ways",
}
"""Their graphs take long to write, and hold few operators that the others do not."""


@pytest.fixture(params=[pytest.param(name, marks=pytest.mark.long) if name in LONG else name for name in CASES])
def pair(request: pytest.FixtureRequest, made: Callable[[str], Pair]) -> tuple[Case, Pair]:
    return CASES[request.param], made(request.param)


def _some_network(case: Case) -> DemandNetwork:
    network = build(case.config, case.shape, seed=1).eval()
    with torch.no_grad():
        network.scaling.level.fill_(5000.0)
        network.scaling.scale.fill_(700.0)
        for part in (network.highway, network.outlook):  # at zero they would hide what passes through them
            for parameter in part.parameters() if part is not None else ():
                parameter.normal_(std=0.05, generator=torch.Generator().manual_seed(1))
    return network


def _inputs(windows: dict[str, npt.NDArray[np.float32]]) -> Any:
    return SimpleNamespace(**dict(zip(SIDES, (windows[name] for name in INPUTS), strict=True)))


def test_torchs_answers_at_any_batch_and_horizon(pair: tuple[Case, Pair]) -> None:
    case, both = pair
    for batch in (1, 7, 64):
        for steps in case.asked:
            inputs = _inputs(both.windows(steps, batch))
            ours, wanted = both.onnx.quantiles(inputs), both.torch.quantiles(inputs)
            assert ours.shape == wanted.shape == (batch, steps, 9)
            assert largest_difference(ours, wanted) <= TOLERANCE
            assert (np.diff(ours, axis=2) >= 0).all()


def test_what_is_masked_changes_no_bit(pair: tuple[Case, Pair]) -> None:
    case, both = pair
    windows = both.windows(case.asked[0], 7)
    wanted = both.onnx.quantiles(_inputs(windows))
    assert np.isfinite(wanted).all()
    for poison in (0.0, 1e9, -np.inf):
        dirty = dict(windows)
        for side in ("past", "future"):
            dirty[side] = np.where(windows[f"{side}_mask"] > 0, windows[side], np.float32(poison))
        assert np.array_equal(both.onnx.quantiles(_inputs(dirty)), wanted)


def test_other_weights_are_put_into_the_graph_that_was_traced(
    pair: tuple[Case, Pair], monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    case, both = pair
    other = deepcopy(both.torch.network)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.add_(0.02 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(2)))
    monkeypatch.setattr(torch.onnx, "export", None)  # nothing is traced
    runtime, written = NetworkRuntime(other), exported(other, case.steps)
    onnx_runtime = GraphRuntime.restore(runtime.settings(), {**runtime.arrays(), **written})
    inputs = _inputs(both.windows(case.asked[0], 7))
    assert largest_difference(onnx_runtime.quantiles(inputs), runtime.quantiles(inputs)) <= TOLERANCE
    assert largest_difference(both.onnx.quantiles(inputs), runtime.quantiles(inputs)) > TOLERANCE


def test_a_sketch_says_what_a_trace_of_the_same_network_says() -> None:
    case = CASES["lstm"]
    first, second = _some_network(case), _some_network(case)
    with torch.no_grad():
        for parameter in second.parameters():
            parameter.mul_(1.1)
    graph(first, None)
    put_in = graph(second, None)
    sketches.forget()
    assert graph(second, None) == put_in


def test_a_graph_that_holds_what_its_network_does_not_is_no_sketch() -> None:
    network = _some_network(CASES["lstm"])
    written, asked = graph(network, None), export._Hours(export._written(network))
    sketches.keep("same", written, asked)
    assert sketches.of("same", asked) == written
    with torch.no_grad():
        next(asked.parameters()).add_(1.0)
    sketches.keep("changed", written, asked)
    assert sketches.of("changed", asked) is None
    asked.register_buffer("more", torch.zeros(3))
    sketches.keep("more", written, asked)
    assert sketches.of("more", asked) is None


def test_a_sketch_that_answers_otherwise_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    network = _some_network(CASES["lstm"])
    other = graph(_some_network(Case(_named("lstm"), HOURLY, (24,), {})), None)
    model = onnx.load_from_string(other)
    weights = next(one for one in model.graph.initializer if len(one.dims) == 3)
    weights.raw_data = bytes(len(weights.raw_data))
    broken = model.SerializeToString()
    runtime = NetworkRuntime(network)
    for useless in (broken, b"no graph"):
        answers = iter([useless, None])
        monkeypatch.setattr(sketches, "of", lambda *_, told=answers: next(told))
        GraphRuntime.restore(runtime.settings(), {**runtime.arrays(), **exported(network, None)})


def test_recurrent_parts_are_one_operator_each_and_no_path_is_written(pair: tuple[Case, Pair]) -> None:
    case, both = pair
    data = next(array.tobytes() for name, array in both.written.items() if name.startswith("graph/"))
    model = onnx.load_from_string(data)
    assert Counter(node.op_type for node in model.graph.node if node.op_type in KERNELS) == case.kernels
    assert b".py" not in data


@pytest.mark.long
def test_a_horizon_that_no_graph_answers_is_asked_for_once_in_whole_days(made: Callable[[str], Pair]) -> None:
    both = made("hears-itself")
    runtime = GraphRuntime.restore(both.torch.settings(), both.torch.arrays())
    inputs = _inputs(both.windows(3, 4))
    with pytest.raises(ModelFolderError, match="no graph of the model answers 4 steps"):
        runtime.quantiles(inputs)
    asked: list[int] = []

    def make(steps: int) -> dict[str, npt.NDArray[Any]]:
        asked.append(steps)
        return both.written

    runtime.maker = make
    for _ in range(2):
        assert largest_difference(runtime.quantiles(inputs), both.torch.quantiles(inputs)) <= TOLERANCE
    assert asked == [4]


def _moved(answer: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    moved = answer.copy()
    moved[3, 5, 2] += 2e-5 * np.abs(answer[3]).max()
    return moved


@pytest.mark.parametrize(
    ("part", "change", "found"),
    [
        ("example/any/answer", _moved, r"relative difference of 2\.0e-05"),
        ("example/any/answer", lambda answer: np.full_like(answer, np.nan), "relative difference of inf"),
        ("example/any/weights", np.zeros_like, "of other weights"),
        ("graph/any", lambda data: data[:-100], "cannot be run"),
    ],
)
def test_a_graph_that_is_not_torchs_network_is_refused(
    part: str, change: Callable[[Any], npt.NDArray[Any]], found: str, made: Callable[[str], Pair]
) -> None:
    both = made("gru")
    arrays = {**both.torch.arrays(), **both.written, part: change(both.written[part])}
    with pytest.raises(ModelFolderError, match=found):
        GraphRuntime.restore(both.torch.settings(), arrays)
