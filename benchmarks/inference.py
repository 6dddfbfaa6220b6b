"""Torch against ONNX Runtime for one forecast: time by batch, memory and import of a fresh process, differences.

Run with `make bench BENCH=inference` or `python benchmarks/inference.py [NAME ...]`.

`lstm-128` is the LSTM of 128 units over 168 steps of 10 columns that says 48 steps of 9 quantiles; the other names are
the recipes' networks with 168 steps of 5 columns and 24 steps ahead of 50, `default` all of its members' networks one
after the other. Every engine answers in a process of its own and in one thread. A time is the fastest of several calls
(`runtime.quantiles`, arrays in and out), asked in turns of the two engines, so that a busy machine disturbs both. MB is
the resident memory of the process after import and load, and after batches of 1, 8 and 64; the import is that of the
runtime's module. The difference is `onnx_runtime.largest_difference` over all batches. Ratios carry over to other
machines, milliseconds do not.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file

BATCHES, CALLS, ROUNDS = (1, 8, 64), {1: 60, 8: 20, 64: 8}, 6
ENGINES = ("torch", "onnx")
SIDES = ("past_BLP", "past_mask_BLP", "future_BHF", "future_mask_BHF", "static_BS", "peers_BSD")


def main() -> None:
    """Prints one row per network and engine."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="networks; all where none is named")
    parser.add_argument("--child", nargs=2, metavar=("ENGINE", "FOLDER"), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.child:
        answer(chosen.child[0], Path(chosen.child[1]))
        return
    print("| network | engine | ms at 1 | at 8 | at 64 | MB loaded | MB after | import s | load s | difference |")
    print("|---|---|---|---|---|---|---|---|---|---|", flush=True)
    for name in chosen.names or [*networks()]:
        with tempfile.TemporaryDirectory() as room:
            write(name, Path(room))
            rows(name, Path(room))


def networks() -> dict[str, Any]:
    """Config and shape of every network that a name stands for."""
    from forecast.networks.configs import DirectConfig, NetworkConfig, RecurrentConfig
    from forecast.networks.shape import NetworkShape
    from forecast.recipe import NetworkModel
    from forecast.recipes import RECIPES

    shape = NetworkShape(past_columns=5, future_columns=50, context=168, horizon=24, hour_columns=(0, 24))
    on_ridge = shape.model_copy(update={"future_columns": 51, "base_column": 50})
    wide = NetworkConfig(encoder=RecurrentConfig(kind="lstm", width=128), decoder=DirectConfig(width=128))
    ten = shape.model_copy(update={"past_columns": 9, "horizon": 48})  # and one that says what is known
    found = {"lstm-128": [(wide, ten)]}
    for name, recipe in RECIPES.items():
        members = [one for one in recipe.members if isinstance(one, NetworkModel)]
        if members:
            found[name] = [(one.network, on_ridge if one.residual_on else shape) for one in members]
    return found


def write(name: str, room: Path) -> None:
    """The networks of a name with random weights, their graphs, and what is asked of them."""
    import torch

    from forecast.networks.example import example_windows
    from forecast.networks.export import exported
    from forecast.networks.network import build
    from forecast.networks.runtime import NetworkRuntime

    told = []
    for number, (config, shape) in enumerate(networks()[name]):
        network = build(config, shape, seed=number).eval()
        network.scaling.level.fill_(5000.0)
        network.scaling.scale.fill_(700.0)
        if network.highway is not None:
            with torch.no_grad():
                for weight in network.highway.parameters():
                    weight.normal_(std=0.02)
        runtime = NetworkRuntime(network)
        save_file(runtime.arrays(), room / f"weights-{number}.safetensors")
        save_file({key: np.array(one) for key, one in exported(network, None).items()}, room / f"graphs-{number}")
        for batch in BATCHES:
            save_file(example_windows(network, shape.horizon, batch), room / f"asked-{number}-{batch}")
        told.append(runtime.settings())
    (room / "told.json").write_text(json.dumps(told))


def rows(name: str, room: Path) -> None:
    """Asks both engines in turns, and prints their rows."""
    children = {
        engine: subprocess.Popen(
            [sys.executable, __file__, "--child", engine, str(room)], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True,
        )
        for engine in ENGINES
    }  # fmt: skip
    begun = {engine: json.loads(_line(child)) for engine, child in children.items()}
    best = {engine: {str(batch): np.inf for batch in BATCHES} for engine in ENGINES}
    after: dict[str, Any] = {}
    for _ in range(ROUNDS):
        for engine, child in children.items():
            assert child.stdin is not None
            print("again", file=child.stdin, flush=True)
            after[engine] = json.loads(_line(child))
            best[engine] = {batch: min(best[engine][batch], ms) for batch, ms in after[engine]["ms"].items()}
    for child in children.values():
        child.communicate()
    from forecast.networks.onnx_runtime import largest_difference

    said = {engine: load_file(room / f"said-{engine}") for engine in ENGINES}
    apart = max(largest_difference(said["onnx"][key], said["torch"][key]) for key in said["torch"])
    for engine in ENGINES:
        ms = " | ".join(f"{best[engine][str(batch)]:.2f}" for batch in BATCHES)
        one = begun[engine]
        told = f"{one['mb']:.0f} | {after[engine]['mb']:.0f} | {one['import_s']:.2f} | {one['load_s']:.2f}"
        print(f"| {name} | {engine} | {ms} | {told} | {apart if engine == 'onnx' else 0:.1e} |", flush=True)


def answer(engine: str, room: Path) -> None:
    """The child: loads, then answers every batch whenever it is asked again."""
    begun = time.perf_counter()
    runtimes, asked, import_s = load(engine, room)
    told = {"import_s": import_s, "load_s": time.perf_counter() - begun - import_s, "mb": resident_mb()}
    print(json.dumps(told), flush=True)
    for _ in sys.stdin:
        ms, said = {}, {}
        for batch in BATCHES:
            every = []
            for _ in range(CALLS[batch]):
                start = time.perf_counter()
                answers = [one.quantiles(asked[number, batch]) for number, one in enumerate(runtimes)]
                every.append((time.perf_counter() - start) * 1e3)
            ms[str(batch)] = min(every)
            said |= {f"{number}-{batch}": np.ascontiguousarray(one) for number, one in enumerate(answers)}
        save_file(said, room / f"said-{engine}")
        print(json.dumps({"ms": ms, "mb": resident_mb()}), flush=True)


def load(engine: str, room: Path) -> tuple[list[Any], dict[Any, Any], float]:
    """The networks of the folder as one engine runs them, the questions, and the seconds that the import took."""
    start = time.perf_counter()
    if engine == "torch":
        import torch

        from forecast.networks.runtime import NetworkRuntime as Runtime

        torch.set_num_threads(1)
    else:
        from forecast.networks.onnx_runtime import GraphRuntime as Runtime  # type: ignore[assignment]
    import_s = time.perf_counter() - start
    runtimes, asked = [], {}
    for number, told in enumerate(json.loads((room / "told.json").read_text())):
        arrays = load_file(room / f"weights-{number}.safetensors")
        if engine == "onnx":
            arrays |= load_file(room / f"graphs-{number}")
        runtimes.append(Runtime.restore(told, arrays))
        for batch in BATCHES:
            windows = load_file(room / f"asked-{number}-{batch}")
            names = ("past", "past_mask", "future", "future_mask", "static", "peers")
            asked[number, batch] = SimpleNamespace(**dict(zip(SIDES, (windows[name] for name in names), strict=True)))
    return runtimes, asked, import_s


def resident_mb() -> float:
    """Memory of this process that is in use (Linux)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 2**20


def _line(child: subprocess.Popen[str]) -> str:
    assert child.stdout is not None
    return child.stdout.readline()


if __name__ == "__main__":
    main()
