"""Training speed: our loop against torch's bare kernel and against neuralforecast, on the same cores in one run.

Run with `make bench BENCH=training` or `python benchmarks/training.py --peer /path/to/its/bin/python`; the peer lives
in an environment of its own (`python3 -m venv nf && nf/bin/pip install torch==2.13.0 neuralforecast`).

An LSTM of 2 layers and 128 units reads 168 hours and says 24, at batch 256, from one made city. `kernel` is forward and
backward of `torch.nn.LSTM` alone, on one batch of as many columns that lies ready; `ours` is the training loop as it
is: batches drawn and gathered, scaling, decoder, highway and quantile head, loss, clipping, AdamW, weight averaging;
the peer is its own LSTM with its own loop and a quantile loss, on the load alone. Everybody gets all cores: a process
with one thread on each, or, as the peer comes, one process with a thread for each. All take turns, `--rounds` times;
windows/s is of the clock (best round and median), windows per core second is of the processor time used, which other
work on the machine disturbs less. Ratios carry over, windows/s do not.

`--together` measures several seeds learned as one batched computation against one after another. `--accuracy` trains
with float32 and with bfloat16 and compares the losses on held-out weeks. `--device cuda` measures ours on a GPU.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

CONTEXT, HORIZON, BATCH, WIDTH, LAYERS = 168, 24, 256, 128, 2
PEER = Path(__file__).with_name("training_peer.py")
INSTALL = "python3 -m venv nf && nf/bin/pip install torch==2.13.0 neuralforecast, then --peer nf/bin/python"
QUIET = {"OMP_WAIT_POLICY": "PASSIVE", "PYTHONWARNINGS": "ignore"}


class Contender(NamedTuple):
    """Who trains: its name, its command, and in how many processes of how many threads."""

    name: str
    command: list[str]
    processes: int
    threads: int


class Score(NamedTuple):
    """Of one round of all processes of a contender."""

    per_second: float
    per_core_second: float


def main() -> None:
    """Prints the table, and what else is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", help="python of the environment that neuralforecast is installed in")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=4, help="of a round")
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--together", action="store_true")
    parser.add_argument("--accuracy", action="store_true")
    parser.add_argument("--child", nargs=2, metavar=("WHAT", "PRECISION"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        import training_child

        training_child.main(*options.child, options)
    elif options.together:
        import training_child

        training_child.together(options.rounds)
    elif options.accuracy:
        import training_child

        training_child.accuracy(options)
    else:
        race(options)


def race(options: argparse.Namespace) -> None:
    """All contenders in turns."""
    cores = sorted(os.sched_getaffinity(0))
    print(
        f"LSTM {LAYERS} x {WIDTH}, {CONTEXT} hours to {HORIZON}, batch {BATCH}; {len(cores)} cores, {options.rounds} "
        f"rounds of {options.steps} steps; load {os.getloadavg()[0]:.1f}",
        flush=True,
    )
    with tempfile.TemporaryDirectory() as room:
        everybody = contenders(options, cores, Path(room))
        started = {one.name: start(one, cores) for one in everybody}
        scores: dict[str, list[Score]] = {one.name: [] for one in everybody}
        for _ in range(options.rounds):
            for one in everybody:
                scores[one.name].append(asked(started[one.name], options.steps))
        for children in started.values():
            for child in children:
                child.communicate()
    show(everybody, scores)
    print(f"load {os.getloadavg()[0]:.1f}")


def contenders(options: argparse.Namespace, cores: list[int], room: Path) -> list[Contender]:
    """Who takes part."""
    own = [sys.executable, __file__, "--steps", str(options.steps), "--days", str(options.days)]
    found = [
        Contender(f"{what} {precision}", [*own, "--child", what, precision], len(cores), 1)
        for precision in ("fp32", "bf16")
        for what in ("kernel", "ours")
    ]
    if options.device == "cuda":
        return [
            Contender(f"ours {one} on the GPU", [*own, "--device", "cuda", "--child", "ours", one], 1, 1)
            for one in ("fp32", "bf16")
        ]
    if options.peer is None:
        print(f"peer not installed: {INSTALL}")
        return found
    from training_data import city

    frame = city(options.days)
    frame.assign(ds=frame["ds"].dt.tz_localize(None)).to_csv(room / "city.csv", index=False)

    def peer(name: str, processes: int, threads: int, flush: str) -> Contender:
        command = [options.peer, str(PEER), str(room / "city.csv"), str(options.steps), str(threads), flush]
        return Contender(name, command, processes, threads)

    return [
        *found,
        peer("neuralforecast as it comes", 1, len(cores), "keep"),
        peer("neuralforecast, a process a core", len(cores), 1, "keep"),
        peer("the same, denormals flushed", len(cores), 1, "flush"),
    ]


def start(one: Contender, cores: list[int]) -> list[subprocess.Popen[str]]:
    """Its processes, ready to go on."""
    children = []
    for number in range(one.processes):
        own = {cores[number]} if one.threads == 1 else set(cores)
        children.append(
            subprocess.Popen(
                one.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                env=os.environ | QUIET | {"OMP_NUM_THREADS": str(one.threads)},
                preexec_fn=lambda cpus=own: os.sched_setaffinity(0, cpus),
            )
        )  # fmt: skip
    for child in children:
        if line(child) != "ready":
            raise SystemExit(f"{one.name} did not begin: run `{' '.join(one.command)}` to see why")
    return children


def asked(children: list[subprocess.Popen[str]], steps: int) -> Score:
    """A round: all processes at once; windows/s of all together."""
    for child in children:
        assert child.stdin is not None
        print("again", file=child.stdin, flush=True)
    told = [[float(part) for part in line(child).split()] for child in children]
    windows = steps * BATCH
    return Score(sum(windows / wall for wall, _ in told), len(told) * windows / sum(used for _, used in told))


def line(child: subprocess.Popen[str]) -> str:
    """What a process says next."""
    assert child.stdout is not None
    return child.stdout.readline().strip()


def show(everybody: list[Contender], scores: dict[str, list[Score]]) -> None:
    """The table, and the ratios that have goals."""
    print("| who | windows/s, best | median | per core second, median |")
    print("|---|---|---|---|")
    clock, core = {}, {}
    for one in everybody:
        wall = [score.per_second for score in scores[one.name]]
        clock[one.name] = np.array(wall)
        core[one.name] = np.array([score.per_core_second for score in scores[one.name]])
        told = f"{max(wall):.0f} | {np.median(wall):.0f} | {np.median(core[one.name]):.0f}"
        print(f"| {one.name}, {one.processes} x {one.threads} | {told} |")
    for precision in ("fp32", "bf16"):
        mine, kernel = f"ours {precision}", f"kernel {precision}"
        if kernel in clock:
            ratio(f"{mine} of its kernel", mine, [kernel], clock, core)
    peers = [name for name in clock if name.startswith("neuralforecast")]
    if peers:
        for mine in ("ours fp32", "ours bf16"):
            ratio(f"{mine} to neuralforecast (the faster way)", mine, peers, clock, core)


def ratio(text: str, mine: str, others: list[str], clock: dict[str, Any], core: dict[str, Any]) -> None:
    """What one reached beside the best of others in the same round, the median; and both at their best."""
    told = [float(np.median(side[mine] / np.max([side[name] for name in others], axis=0))) for side in (clock, core)]
    best = clock[mine].max() / max(clock[name].max() for name in others)
    print(f"{text}: {told[0]:.2f} by the clock, {told[1]:.2f} by processor time; best rounds {best:.2f}")


if __name__ == "__main__":
    main()
