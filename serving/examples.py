"""Requests that the model in use answers: for the pages under /docs, for tests, and to warm up."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from forecast import clock
from forecast.calendars import moment_outside
from forecast.forecaster import ForecasterSpec
from serving.stamps import write_step

VALUES = 24
WRITTEN_OUT = 4


def examples(spec: ForecasterSpec) -> dict[str, dict[str, Any]]:
    """By name: a summary and a request (`value`); short, so that the answers warn of padded history."""
    until = pd.Timestamp(spec.trained_until).floor(spec.step)
    day = (until.tz_convert(clock.zone(spec.zone)) + pd.Timedelta(days=1)).date()
    levels = spec.recipe.quantiles
    return {
        "counted": {
            "summary": "History counted from its start, the model's own horizon",
            "value": {"series": [_counted(spec, until)]},
        },
        "written_out": {
            "summary": "Every stamp written out, what is known ahead, three quantiles",
            "value": {
                "series": [_written_out(spec, until)], "unit": spec.unit, "cutoff": _z(until + _delay(spec), spec),
                "horizon": WRITTEN_OUT, "quantiles": sorted({levels[0], 0.5, levels[-1]}),
            },
        },
        "delivery_day": {
            "summary": "One delivery day in the series' own zone",
            "value": {
                "series": [{**_counted(spec, until), "zone": clock.lived_zone(spec.zone)}],
                "delivery_day": day.isoformat(), "quantiles": [0.5],
            },
        },
    }  # fmt: skip


def stored_examples(spec: ForecasterSpec) -> dict[str, dict[str, Any]]:
    """By name: what is posted to the store, and then a forecast that reads it from there."""
    until = pd.Timestamp(spec.trained_until).floor(spec.step)
    name = f"{spec.series[0]} (example)"
    series = {**_written_out(spec, until), "unique_id": name, "zone": clock.lived_zone(spec.zone), "unit": spec.unit}
    lines = zip(series["history"]["ds"], series["history"]["y"], strict=True)
    table = "".join(f'"{name}",{ds},{y}\n' for ds, y in lines)
    return {
        "observations": {
            "summary": "Measured values, and what is known ahead",
            "value": {"series": [series], "known": list(spec.known)},
        },
        "csv": {"summary": "A long table", "value": f"unique_id,ds,y\n{table}"},
        "from_store": {
            "summary": "History from the store, where the example of POST /v1/observations put it",
            "value": {
                "series": [{"unique_id": name}], "cutoff": _z(until + _delay(spec), spec), "horizon": WRITTEN_OUT,
                "quantiles": [0.5],
            },
        },
    }  # fmt: skip


def option_examples(spec: ForecasterSpec) -> dict[str, dict[str, Any]]:
    """By name: a request for what may be wanted beside forecasts."""
    until = pd.Timestamp(spec.trained_until).floor(spec.step)
    options: dict[str, Any] = {"peak": True, "energy": True, "paths": 2, "sum": True}
    if spec.known:
        options["scenarios"] = [{"name": f"more {spec.known[0]}", "shift": {spec.known[0]: "+2"}}]
    value = {"series": [_counted(spec, until)], "quantiles": [0.5], "options": options}
    return {"options": {"summary": "Peak, energy, paths, a sum, and a scenario", "value": value}}


def protocol_examples(spec: ForecasterSpec) -> dict[str, dict[str, Any]]:
    """By name: the written out request as other protocols put it."""
    columns = _long(spec, pd.Timestamp(spec.trained_until).floor(spec.step))
    cutoff = _z(pd.Timestamp(spec.trained_until).floor(spec.step) + _delay(spec), spec)
    rows = [list(row) for row in zip(*columns.values(), strict=True)]
    split = {"columns": list(columns), "data": rows}
    tensors = [
        {"name": name, "shape": [len(values)], "datatype": "BYTES" if isinstance(values[0], str) else "FP64",
         "data": values}
        for name, values in columns.items()
    ]  # fmt: skip
    lines = [",".join("" if cell is None else str(cell) for cell in row) for row in (list(columns), *rows)]
    return {
        "mlflow": {
            "summary": "A table, as pandas writes it",
            "value": {"dataframe_split": split, "params": {"cutoff": cutoff, "horizon": WRITTEN_OUT}},
        },
        "mlflow_csv": {"summary": "The same as CSV, without parameters", "value": "\n".join([*lines, ""])},
        "tensors": {
            "summary": "The same as tensors",
            "value": {"id": "1", "inputs": tensors, "parameters": {"cutoff": cutoff, "horizon": WRITTEN_OUT}},
        },
    }  # fmt: skip


def _long(spec: ForecasterSpec, until: pd.Timestamp) -> dict[str, list[Any]]:
    """The written out example as a long table; rows ahead have no y."""
    ds = pd.date_range(until - WRITTEN_OUT * spec.step, periods=2 * WRITTEN_OUT, freq=spec.step)
    blank = [None] * WRITTEN_OUT
    behind, ahead = _columns(spec, WRITTEN_OUT, ahead=False), _columns(spec, WRITTEN_OUT, ahead=True)
    columns: dict[str, list[Any]] = {"unique_id": [spec.series[0]] * len(ds), "ds": [_z(one, spec) for one in ds]}
    columns |= {name: [*values, *ahead.get(name, blank)] for name, values in behind.items()}
    return columns | {name: [1.0] * len(ds) for name in spec.static}


def _counted(spec: ForecasterSpec, until: pd.Timestamp) -> dict[str, Any]:
    history = {
        "start": _z(until - VALUES * spec.step, spec), "step": write_step(spec.step),
        **_columns(spec, VALUES, ahead=False),
    }  # fmt: skip
    return {"unique_id": spec.series[0], "history": history, **_static(spec)}


def _written_out(spec: ForecasterSpec, until: pd.Timestamp) -> dict[str, Any]:
    before = pd.date_range(end=until - spec.step, periods=WRITTEN_OUT, freq=spec.step)
    after = pd.date_range(until, periods=WRITTEN_OUT, freq=spec.step)
    one: dict[str, Any] = {
        "unique_id": spec.series[0],
        "history": {"ds": [_z(ds, spec) for ds in before], **_columns(spec, WRITTEN_OUT, ahead=False)},
    }
    if spec.known:
        one["future"] = {"ds": [_z(ds, spec) for ds in after], **_columns(spec, WRITTEN_OUT, ahead=True)}
    return one | _static(spec)


def _columns(spec: ForecasterSpec, size: int, *, ahead: bool) -> dict[str, list[float]]:
    """A daily wave of demand, and covariates in the middle of what the model has seen."""
    turn = 2 * np.pi * np.arange(size) * (spec.step / pd.Timedelta(days=1))
    columns = {} if ahead else {"y": [round(float(value), 2) for value in 5 - np.cos(turn)]}
    for name in spec.known if ahead else (*spec.past, *spec.known):
        knots = spec.features.knots.get(name, (0.0,))
        columns[name] = [round(knots[len(knots) // 2], 2) if knots else 0.0] * size
    return columns


def _static(spec: ForecasterSpec) -> dict[str, Any]:
    return {"static": dict.fromkeys(spec.static, 1.0)} if spec.static else {}


def _delay(spec: ForecasterSpec) -> pd.Timedelta:
    return pd.Timedelta(seconds=spec.delay_seconds)


def _z(moment: pd.Timestamp, spec: ForecasterSpec) -> str:
    return f"{moment_outside(moment, spec.zone).tz_convert('UTC'):%Y-%m-%dT%H:%M:%SZ}"
