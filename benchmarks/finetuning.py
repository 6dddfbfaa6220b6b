"""What a network of many series brings to a series that it never saw: as it is, and fine-tuned on a short history.

    python benchmarks/finetuning.py eia930_2015_2019_hourly.parquet [DAYS ...]

The GRU learns all EIA-930 series but four (every eighth by name) from what was known on 1 July 2018. Of each of the
four, so many DAYS of history are in hand (30, 90, 365). Every row forecasts July to December 2018, a day ahead from
midnight UTC-6, and is scored as MAPE; this ends before the test span of the protocols. The figures are means of the
four.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from forecast import calendars
from forecast.forecaster import Forecaster
from forecast.metrics import mape
from forecast.protocols.eia import eia
from forecast.recipe import Task
from forecast.recipes import GRU, RIDGE, SEASONAL_NAIVE_WEEK
from forecast.tables import Demand
from forecast.training import fit
from forecast.training.transfer import fine_tune

CLOCK = "-06:00"
SINCE, LAST = "2018-07-01", "2018-12-31"
TASK = Task(horizon=24, every="1d", clock=CLOCK)
LEFT_OUT = slice(3, None, 8)
EPOCHS, RATE = 8, 3e-4


def scored(forecaster: Forecaster, demand: Demand) -> float:
    """MAPE [%] over all days of the span."""
    table = forecaster.predict(demand, calendars.cutoffs(SINCE, LAST, "1d", CLOCK)).frame
    series = demand.series[0]
    truth = pd.Series(demand.observed(series), demand.stamps(series))
    y = table["ds"].map(truth)
    known = y.notna()
    return mape(y[known], table.loc[known, "q0.5"])


def rows(many: Forecaster, short: Demand) -> dict[str, Callable[[], Forecaster]]:
    """Ways to come to a forecaster with this history in hand."""
    return {
        "last week": lambda: fit(short, SEASONAL_NAIVE_WEEK, TASK).forecaster,
        "ridge, alone": lambda: fit(short, RIDGE, TASK).forecaster,
        "gru, alone": lambda: fit(short, GRU, TASK).forecaster,
        "gru of the others": lambda: many,
        "gru of the others, fine-tuned": lambda: fine_tune(many, short, epochs=EPOCHS, rate=RATE).forecaster,
    }


def main() -> None:
    """Prints a line per history and row as soon as it is measured."""
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    demand = eia(Path(sys.argv[1]), operator=False)
    cutoff = calendars.cutoffs(SINCE, SINCE, "1d", CLOCK)[0]
    names = [one.unique_id for one in demand.series]
    strangers = names[LEFT_OUT]
    began = time.monotonic()
    others = demand.select([name for name in names if name not in strangers])
    many = fit(others.as_of(cutoff), GRU, TASK).forecaster
    print(f"left out: {', '.join(strangers)}; the others were learned in {time.monotonic() - began:.0f} s")
    print(f"{'days in hand':>12}  {'row':<30} {'MAPE %':>6}   {'  '.join(f'{name:>5}' for name in strangers)}")
    for days in [int(word) for word in sys.argv[2:]] or [30, 90, 365]:
        told: dict[str, list[float]] = {}
        for name in strangers:
            alone = demand.select([name])
            short = alone.since(cutoff - pd.Timedelta(days=days)).as_of(cutoff)
            for row, make in rows(many, short).items():
                told.setdefault(row, []).append(scored(make(), alone))
        for row, figures in told.items():
            cells = "  ".join(f"{figure:5.2f}" for figure in figures)
            print(f"{days:>12}  {row:<30} {np.mean(figures):6.2f}   {cells}", flush=True)


if __name__ == "__main__":
    main()
