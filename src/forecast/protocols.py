"""Published ways to judge forecasts: the same data, cutoffs and metrics as the peers whose figures stand beside."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from forecast import metrics
from forecast.backtest import FitFunction, Plan, Walk, WalkProgress, walk
from forecast.errors import DataError, DeclarationError
from forecast.tables import Columns, Demand

MELBOURNE = "Australia/Melbourne"
MEASURED = "measured once on 2 cores, same data and cutoffs, November 2026"


@dataclass(frozen=True)
class Peer:
    """What another system reached under a protocol.

    Attributes:
        name: the system.
        mae: its mean absolute error, in the protocol's unit.
        source: where the figure comes from.
    """

    name: str
    mae: float
    source: str = MEASURED


@dataclass(frozen=True)
class Protocol:
    """One way to judge.

    Attributes:
        name: the command's word.
        about: what is forecast, from when, knowing what.
        read: from the data file to the table.
        plan: from the table to the cutoffs.
        every: the moments that a forecaster is trained for.
        scored: the number of rows that must be scored: the check that the protocol is right.
        peers: what others reached.
    """

    name: str
    about: str
    read: Callable[[Path], Demand]
    plan: Callable[[Demand], Plan]
    every: str
    scored: int
    peers: tuple[Peer, ...] = field(default=())


def victoria(path: Path, *, temperature: str) -> Demand:
    """Victoria 2012-2014 as hourly means in MW; `temperature` "known" or "past".

    Raises:
        DataError: the file is not the half-hourly table with timestamp, demand, temperature and holiday.
    """
    if not path.is_file():
        raise DataError(f"no file {path}", "the half-hourly Victoria table as Parquet", "give its path with --data")
    try:
        frame = pd.read_parquet(path)
        hourly = (
            frame.set_index("timestamp").resample("1h").agg({"demand": "mean", "temperature": "mean", "holiday": "max"})
        )
    except Exception as error:
        raise DataError(
            f"{path} is not the half-hourly Victoria table ({error})",
            "columns timestamp, demand, temperature, holiday",
            "give its path with --data",
        ) from error  # fmt: skip
    hourly = hourly.reset_index().rename(columns={"timestamp": "ds", "demand": "y"})
    hourly = hourly.assign(unique_id="VIC", holiday=hourly["holiday"].astype(float))
    columns = (
        Columns(known=("temperature", "holiday")) if temperature == "known"
        else Columns(past=("temperature",), known=("holiday",))
    )  # fmt: skip
    return Demand.from_frame(hourly, columns=columns, zone=MELBOURNE, source=path.name)


def _second_half_of_2014(demand: Demand) -> Plan:
    return Plan.of("2014-07-01", "2014-12-31", "1d", MELBOURNE, demand.step, horizon=24)


VIC_A = Protocol(
    "vic-a",
    "Victoria, hourly, day ahead from local midnight, temperature known over the horizon",
    lambda path: victoria(path, temperature="known"),
    _second_half_of_2014,
    "1d",
    4416,
    (
        Peer("ridge + LightGBM on residuals", 91.8), Peer("ridge per hour, refit monthly", 92.6),
        Peer("multilayer perceptron, 4 seeds", 93.9), Peer("LightGBM, tuned, refit monthly", 99.4),
        Peer("neuralforecast GRU", 101.1), Peer("neuralforecast LSTM", 103.1), Peer("neuralforecast TiDE", 112.5),
        Peer("neuralforecast NHITS", 129.6), Peer("neuralforecast TFT", 132.0),
    ),
)  # fmt: skip
VIC_B = Protocol(
    "vic-b",
    "Victoria, hourly, day ahead from local midnight, no temperature after the cutoff",
    lambda path: victoria(path, temperature="past"),
    _second_half_of_2014,
    "1d",
    4416,
    (
        Peer("ridge per hour, refit monthly", 136.2), Peer("ridge + LightGBM on residuals", 137.3),
        Peer("multilayer perceptron, 4 seeds", 144.0), Peer("LightGBM, tuned, refit monthly", 151.9),
        Peer("neuralforecast LSTM", 165.8), Peer("neuralforecast NHITS", 180.5),
    ),
)  # fmt: skip
PROTOCOLS = {protocol.name: protocol for protocol in (VIC_A, VIC_B)}


def named(name: str) -> Protocol:
    """A protocol by its word.

    Raises:
        DeclarationError: there is none of this name.
    """
    if name not in PROTOCOLS:
        raise DeclarationError(f"no protocol '{name}'", f"one of {', '.join(PROTOCOLS)}")
    return PROTOCOLS[name]


def judge(
    protocol: Protocol,
    demand: Demand,
    fits: Mapping[str, FitFunction],
    *,
    refit: str | int = "never",
    workers: int = 1,
    progress: WalkProgress | None = None,
) -> tuple[Walk, pd.DataFrame]:
    """Walks under a protocol and scores; see `metrics.score` for the columns.

    Raises:
        DataError: another number of rows was scored than the protocol says, so figures would not compare.
    """  # fmt: skip
    walked = walk(demand, fits, protocol.plan(demand), refit=refit, workers=workers, progress=progress)
    rows = int(walked.table.groupby("model")["y"].count().min())
    if rows != protocol.scored:
        raise DataError(f"{rows} scored rows", f"{protocol.scored} under {protocol.name}", "check the data file")
    spec = next(iter(walked.fitted.values()))[0].forecaster.spec
    return walked, metrics.score(walked.table, scales=spec.scales, zones=demand.zones)
