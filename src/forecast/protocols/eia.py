"""33 US balancing authorities of EIA-930, against the day-ahead forecasts of their own operators."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from forecast import metrics
from forecast.errors import DataError
from forecast.protocols.cleaning import cleaned
from forecast.protocols.files import read_table
from forecast.protocols.protocol import Protocol
from forecast.tables import Columns, Demand

HOUR = pd.Timedelta(hours=1)
FILE, SERIES = "the hourly EIA-930 table", "eia930_series.csv"
OPERATOR = "operator_forecast"
ZONES = {
    "AECI": "America/Chicago", "AVA": "America/Los_Angeles", "AZPS": "America/Phoenix", "BPAT": "America/Los_Angeles",
    "CISO": "America/Los_Angeles", "CPLE": "America/New_York", "CPLW": "America/New_York", "DUK": "America/New_York",
    "EPE": "America/Denver", "ERCO": "America/Chicago", "FPL": "America/New_York", "GCPD": "America/Los_Angeles",
    "IID": "America/Los_Angeles", "IPCO": "America/Boise", "ISNE": "America/New_York", "JEA": "America/New_York",
    "LDWP": "America/Los_Angeles", "LGEE": "America/Kentucky/Louisville", "MISO": "America/Chicago",
    "NEVP": "America/Los_Angeles", "NWMT": "America/Denver", "NYIS": "America/New_York", "PGE": "America/Los_Angeles",
    "PNM": "America/Denver", "PSCO": "America/Denver", "SCEG": "America/New_York", "SCL": "America/Los_Angeles",
    "TAL": "America/New_York", "TEC": "America/New_York", "TIDC": "America/Los_Angeles", "TPWR": "America/Los_Angeles",
    "TVA": "America/Chicago", "WACM": "America/Denver",
}  # fmt: skip
"""Civil zone of most of an authority's customers."""


def eia(path: Path, *, operator: bool) -> Demand:
    """The 33 series in MW, reported demand cleaned causally; with the operator's forecast as a known-ahead covariate.

    Raises:
        DataError: the file is not the EIA-930 table, or the list of series is not beside it.
    """
    frame = _rows(path, ("demand", "tso_forecast"))
    frame = frame.assign(y=_cleaned(frame, "demand"))
    if operator:
        frame[OPERATOR] = _cleaned(frame, "tso_forecast")
    columns = Columns(known=(OPERATOR,)) if operator else Columns()
    return Demand.from_frame(frame, columns=columns, zone=ZONES, country="US", source=path.name)


def reported(path: Path) -> pd.DataFrame:
    """The truth: unique_id, ds, y as reported where the screening says OKAY (else NaN), the operator's forecast."""
    frame = _rows(path, ("demand", "tso_forecast", "screen_flag"))
    okay = (frame["screen_flag"].astype(str) == "OKAY").to_numpy()
    y = frame["demand"].where(okay).astype(np.float64)
    told = frame["tso_forecast"].astype(np.float64)
    return frame[["unique_id", "ds"]].assign(y=y, operator=told)


def against_operators(by_series: pd.DataFrame, scored: pd.DataFrame) -> pd.DataFrame:
    """Per model: median and mean over the series of their MAPE [%], and the series on which it beats the operator.

    Args:
        by_series: `metrics.score_by_series`.
        scored: the rows that are scored, with y and the operator's forecast.
    """
    operator = operator_mape(scored)
    mape = by_series.pivot(index="model", columns="unique_id", values="mape")
    wins = (mape < operator.reindex(mape.columns)).sum(axis=1)
    return pd.DataFrame(
        {"mape_median": mape.median(axis=1), "mape_mean": mape.mean(axis=1), "wins": wins.astype(float)}
    )


def operator_mape(scored: pd.DataFrame) -> pd.Series:
    """MAPE [%] of each operator over the scored rows for which it published a forecast."""
    return pd.Series({
        str(name): metrics.mape(part["y"], part["operator"]) for name, part in scored.groupby("unique_id")
    })  # fmt: skip


def _rows(path: Path, columns: tuple[str, ...]) -> pd.DataFrame:
    """Rows of the 33 series, one series after the other, `ds` the start of the hour."""
    frame = read_table(path, ("timestamp", "series_id", *columns), FILE)
    frame = frame[frame["series_id"].isin(_chosen(path.with_name(SERIES)))]
    if set(frame["series_id"].astype(str)) != set(ZONES):
        raise DataError(f"{path} does not hold the 33 series", ", ".join(ZONES), "give its path with --data")
    frame = frame.assign(unique_id=frame["series_id"].astype(str), ds=frame["timestamp"] - HOUR)
    return frame.sort_values(["unique_id", "ds"], ignore_index=True)


def _chosen(path: Path) -> list[str]:
    """The series whose demand is clean and whose operator's forecast can be used."""
    try:
        listed = pd.read_csv(path)
        return [str(name) for name in listed.loc[listed["recommended"] & listed["forecast_usable"], "series_id"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"the list of series {path} cannot be read ({error})",
            "columns series_id, recommended and forecast_usable", "keep it beside the table",
        ) from error  # fmt: skip


def _cleaned(frame: pd.DataFrame, column: str) -> pd.Series:
    """A column cleaned series by series, in the frame's order."""
    wide = frame.pivot(index="ds", columns="unique_id", values=column)
    clean = pd.DataFrame(cleaned(wide.to_numpy(dtype=np.float64)), wide.index, wide.columns)
    places = pd.MultiIndex.from_frame(frame[["ds", "unique_id"]])
    return pd.Series(clean.stack(future_stack=True).reindex(places).to_numpy(), index=frame.index)


EIA_33 = Protocol(
    name="eia-33",
    about="33 balancing authorities, hourly, 24 hours from midnight UTC-6, no weather; MAPE per series",
    read=partial(eia, operator=False),
    days=("2019-07-01", "2019-12-30"),
    clock="-06:00",
    horizon=24,
    scored=143_850,
    checks={"day": {"mape_median": 5.52}},
    truth=reported,
    figures=against_operators,
    headline=("mape_median", "mape_mean", "wins"),
    assumptions=(
        "only rows that the screening calls OKAY are scored, against demand as reported",
        "wins: the operator's MAPE is over the scored rows for which it published a forecast",
    ),
)
EIA_33_PLUS = Protocol(
    name="eia-33+",
    about="33 balancing authorities, hourly, 24 hours from midnight UTC-6, the operator's forecast known ahead",
    read=partial(eia, operator=True),
    days=EIA_33.days,
    clock=EIA_33.clock,
    horizon=24,
    scored=EIA_33.scored,
    checks=EIA_33.checks,
    truth=reported,
    figures=against_operators,
    headline=EIA_33.headline,
    assumptions=(*EIA_33.assumptions, "the operator's day-ahead forecast counts as known at the cutoff"),
)
