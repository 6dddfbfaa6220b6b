"""A trained network as the service runs it: ONNX Runtime alone, torch is not imported.

A graph's example says what torch answered; a graph that answers something else is refused when it is loaded.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from threading import Lock
from typing import Any, NoReturn, Self

import numpy as np
import numpy.typing as npt
import onnxruntime

from forecast.errors import ModelFolderError
from forecast.networks.inputs import Inputs

Floats = npt.NDArray[np.float32]
Arrays = dict[str, npt.NDArray[Any]]

GRAPH, EXAMPLE, ANY = "graph", "example", "any"
PEERS, ANSWER, WEIGHTS_DIGEST = "peers", "answer", "weights"
INPUTS = ("past", "past_mask", "future", "future_mask", "static", PEERS)
TOLERANCE = 1e-5
"""The largest difference to torch, in shares of the largest quantile (without its sign) of the same window."""
AT_ONCE = 16
"""Windows of one call: more of them cost as much each, and memory that is never given back."""
_ADVICE = "train and register again, or delete the cache of graphs"


def weights_digest(arrays: Mapping[str, npt.NDArray[Any]]) -> str:
    """SHA-256 of a network's weights and buffers: which weights a graph holds."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(arrays[name]).tobytes())
    return digest.hexdigest()


def largest_difference(ours_BHQ: Floats, torch_BHQ: Floats) -> float:
    """The largest difference of two answers, each window in shares of its own largest quantile (without sign).

    >>> largest_difference(np.array([[[99.0, 100.0]]]), np.array([[[98.0, 100.0]]]))
    0.01
    """
    torch_BHQ, ours_BHQ = torch_BHQ.astype(np.float64), ours_BHQ.astype(np.float64)
    most_B11 = np.abs(torch_BHQ).max(axis=(1, 2), keepdims=True)
    apart_BHQ = np.abs(ours_BHQ - torch_BHQ) / np.maximum(most_B11, np.finfo(np.float32).tiny)
    return float(np.nan_to_num(apart_BHQ, nan=np.inf).max())


_THREADS = ContextVar("threads", default=1)


@contextmanager
def answering_with(threads: int) -> Iterator[None]:
    """Networks that are restored meanwhile use so many threads for one answer."""
    before = _THREADS.set(threads)
    try:
        yield
    finally:
        _THREADS.reset(before)


def session(data: bytes, threads: int = 1) -> Any:
    """An ONNX Runtime session that computes in the caller's thread.

    Its arena keeps what the largest call needed, for ever: a session is asked for `AT_ONCE` windows at most. No pattern
    of memory is kept, for calls differ in their sides.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.enable_mem_pattern = False
    options.log_severity_level = 3
    options.add_session_config_entry("session.set_denormal_as_zero", "1")
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])


@dataclass(frozen=True, eq=False)
class Graph:
    """A loaded graph.

    Attributes:
        session: ONNX Runtime's.
        stride: steps of an hour where it is asked by hours; 1 else.
    """

    session: Any
    stride: int

    def __call__(self, arrays: Mapping[str, Floats]) -> Floats:
        """Quantiles [B, H, Q]."""
        batch, steps = arrays["future"].shape[:2]
        fed = {one.name: np.ascontiguousarray(arrays[one.name]) for one in self.session.get_inputs()}
        if self.stride > 1:
            for name in ("future", "future_mask"):
                fed[name] = fed[name].reshape(batch, steps // self.stride, -1)
        shares = ({name: fed[name][first : first + AT_ONCE] for name in fed} for first in range(0, batch, AT_ONCE))
        return np.concatenate([self.session.run(None, share)[0] for share in shares])


Maker = Callable[[int], Arrays]


class GraphRuntime:
    """A network that answers from ONNX graphs.

    Attributes:
        graphs: by the steps that they answer, `ANY` for any number of whole hours.
        maker: writes the graph for a number of steps that no graph answers.
    """

    kind = "network"

    def __init__(self, told: Mapping[str, Any], weights: Arrays, written: Arrays) -> None:
        self._told, self._weights, self._threads, self._lock = dict(told), weights, _THREADS.get(), Lock()
        self.graphs = dict[str, Graph]()
        self.maker: Maker = _nobody
        shape, decoder = told["shape"], told["config"]["decoder"]
        self._stride, self._day = int(shape.get("stride", 1)), max(1, int(shape.get("level_steps", 168)) // 7)
        self._stepwise = bool(decoder.get("autoregressive"))
        self.add(written)

    def add(self, written: Arrays) -> None:
        """Takes graphs in, each after its example was answered as torch answers it.

        Raises:
            ModelFolderError: a graph is broken, of other weights, or answers otherwise.
        """
        for name in [name for name in written if name.startswith(f"{GRAPH}/")]:
            asked = name.removeprefix(f"{GRAPH}/")
            head = f"{EXAMPLE}/{asked}/"
            example = {key.removeprefix(head): array for key, array in written.items() if key.startswith(head)}
            self.graphs[asked] = self._checked(asked, written[name].tobytes(), example)

    def quantiles(self, inputs: Inputs) -> Floats:
        """Quantiles [B, H, Q] in mean power.

        Raises:
            ModelFolderError: no graph answers so many steps, and none can be made.
        """
        sides = (
            inputs.past_BLP, inputs.past_mask_BLP, inputs.future_BHF, inputs.future_mask_BHF, inputs.static_BS,
            inputs.peers_BSD,
        )  # fmt: skip
        arrays = dict(zip(INPUTS, sides, strict=True))
        steps = inputs.future_BHF.shape[1]
        asked, graph = self._of(steps) or self._made(steps)
        if self._stepwise and asked != steps:
            arrays |= {name: _longer(arrays[name], asked) for name in ("future", "future_mask")}
        return graph(arrays)[:, :steps]

    def arrays(self) -> Arrays:
        """All weights and buffers."""
        return dict(self._weights)

    def settings(self) -> dict[str, object]:
        """Config and shape."""
        return dict(self._told)

    @classmethod
    def restore(cls, settings: Mapping[str, object], arrays: Arrays) -> Self:
        """The network's graphs; `arrays` hold them beside the weights, as `forecast.networks.export` wrote them."""
        parts = (f"{GRAPH}/", f"{EXAMPLE}/")
        written = {name: array for name, array in arrays.items() if name.startswith(parts)}
        return cls(settings, {name: array for name, array in arrays.items() if name not in written}, written)

    def _of(self, steps: int) -> tuple[int, Graph] | None:
        """The graph that answers so many steps, and how many it wants to be asked for."""
        if ANY in self.graphs and steps % self._stride == 0:
            return steps, self.graphs[ANY]
        exact = sorted(int(asked) for asked in self.graphs if asked != ANY)
        fitting = [one for one in exact if one == steps or (self._stepwise and one > steps)]
        return (fitting[0], self.graphs[str(fitting[0])]) if fitting else None

    def _made(self, steps: int) -> tuple[int, Graph]:
        """The graph for a number of steps that none answered so far."""
        with self._lock:
            if self._of(steps) is None:
                # A decoder that hears itself is asked for whole days: the next question may need fewer steps of them.
                self.add(self.maker(-(-steps // self._day) * self._day if self._stepwise else steps))
        return self._of(steps) or _nobody(steps)

    def _checked(self, asked: str, data: bytes, example: Arrays) -> Graph:
        try:
            graph = Graph(session(data, self._threads), self._stride if asked == ANY else 1)
            if example[WEIGHTS_DIGEST].tobytes().hex() != weights_digest(self._weights):
                raise ModelFolderError("a graph of other weights than the folder's", "both from one training", _ADVICE)
            apart = largest_difference(graph(example), example[ANSWER])
        except ModelFolderError:
            raise
        except Exception as error:  # ONNX Runtime raises classes of its own, which derive from nothing narrower
            told = (str(error).splitlines() or [type(error).__name__])[0]
            raise ModelFolderError(f"a graph of the model cannot be run ({told})", "a whole one", _ADVICE) from error
        if not apart <= TOLERANCE:
            raise ModelFolderError(
                f"a graph answers its example with a relative difference of {apart:.1e} to torch",
                f"at most {TOLERANCE:.0e}", _ADVICE,
            )  # fmt: skip
        return graph


def _longer(x_BHF: Floats, steps: int) -> Floats:
    """The same with unknown steps behind: what a decoder says of a step does not depend on later ones."""
    more = np.zeros((x_BHF.shape[0], steps - x_BHF.shape[1], x_BHF.shape[2]), dtype=np.float32)
    return np.concatenate([x_BHF, more], axis=1)


def _nobody(steps: int) -> NoReturn:
    raise ModelFolderError(f"no graph of the model answers {steps} steps", "one that does", _ADVICE)
