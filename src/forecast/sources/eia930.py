"""`Eia930`: hourly demand of the balancing authorities of the United States, and the forecast that each published.

Form EIA-930 through EIA's API v2 (`electricity/rto/region-data`, types D and DF). A period is stamped with its END in
UTC. Figures are energy per hour in MWh, which is mean power in MW. Corrections arrive for days.
Source: https://www.eia.gov/opendata/documentation.php and the instructions of Form EIA-930.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from forecast import clock
from forecast.errors import DataError, DeclarationError, SourceError
from forecast.sources.catching_up import catching_up
from forecast.sources.contract import Batch, Mark
from forecast.sources.keys import Key
from forecast.sources.polite import Manners, Polite
from forecast.sources.reach import HOUR
from forecast.sources.rows import dated, merged, numbers, without_twins
from forecast.tables import Columns, SeriesInfo

EIA_URL = "https://api.eia.gov"
EIA_START = pd.Timestamp("2019-01-01T00:00Z")
"""The first hour of the API; earlier ones are only in EIA's bulk files."""
MANNERS = Manners(pause=0.3)  # EIA asks for at most 5 requests a second
PAGE = 5000
WINDOW = pd.Timedelta("100D")  # two types by the hour fit into one page
LOOK_BACK = pd.Timedelta("7D")
FIELDS = ("period", "respondent", "type", "value", "value-units")
FORECAST = "demand_forecast"

_RESPONDENTS = {
    "America/New_York": "CAR CPLE CPLW DUK FLA FMPP FPC FPL GVL HST ISNE JEA LGEE MIDA NE NSB NY NYIS OVEC PJM SC SCEG "
    "SE SEC TAL TEC US48 YAD",
    "America/Chicago": "AEC AECI CENT EEI ERCO MIDW MISO SOCO SPA SWPP TEN TEX TVA",
    "America/Denver": "EPE GWA NWMT PACE PNM PSCO WACM WAUW WWA",
    "America/Boise": "IPCO",
    "America/Phoenix": "AZPS DEAA GRIF HGMA SRP SW TEPC WALC",
    "America/Los_Angeles": "AVA AVRN BANC BPAT CAL CHPD CISO DOPD GCPD GRID IID LDWP NEVP NW PACW PGE PSEI SCL TIDC "
    "TPWR",
}
ZONES = {code: zone for zone, codes in _RESPONDENTS.items() for code in codes.split()}
"""Civil zone of most customers of every authority and region that EIA publishes."""


@dataclass(frozen=True)
class Eia930:
    """Hourly demand `y` and the known-ahead covariate `demand_forecast`, one series per balancing authority.

    A demand counts as known `delay` after its hour. A forecast for a day counts as known at 07:00 Eastern of that
    day, by when EIA requires it to be posted, and is not read before: so the past and the present say the same.

    Attributes:
        respondents: codes of balancing authorities or regions ("ERCO", "PJM"); series are called "eia930-ERCO".
        key: EIA's key.
        start: the first hour to read.
        look_back: what is read again at every run, so that corrections are seen.
        delay: how long after its hour a demand is published.
        base: address of the API.
        manners: how it is asked.

    Raises:
        DeclarationError: a code is unknown.
    """

    respondents: tuple[str, ...]
    key: Key
    start: pd.Timestamp = EIA_START
    look_back: pd.Timedelta = LOOK_BACK
    delay: str = "2h"
    base: str = EIA_URL
    manners: Manners = MANNERS

    def __post_init__(self) -> None:
        unknown = [code for code in self.respondents if code not in ZONES]
        if unknown or not self.respondents:
            raise DeclarationError(
                f"EIA-930 has no balancing authority {', '.join(unknown) or 'without a name'}",
                f"some of {', '.join(sorted(ZONES))}",
            )

    @property
    def name(self) -> str:
        """Under which the store keeps the mark: also what is read, for the store remembers of each name when it was
        last read to its end, and holds what comes later than that for late.
        """
        return f"eia930:{','.join(sorted(self.respondents))}"

    def batches(self, mark: Mark | None) -> Iterator[Batch]:
        """What is new since `mark`: 100 days of one authority at a time; see `Source.batches`."""
        with Polite(self.manners, self.key) as web:

            def asked(
                code: str, begin: pd.Timestamp, end: pd.Timestamp, _: Mark | None
            ) -> tuple[Batch, pd.Timestamp | None]:
                return self._batch(code, begin, end, self._rows(web, code, begin, end))

            yield from catching_up(asked, self.respondents, mark, self.start, self.look_back, WINDOW)

    def _rows(self, web: Polite, code: str, begin: pd.Timestamp, end: pd.Timestamp) -> list[dict[str, Any]]:
        """All pages of the periods that start within [begin, end)."""
        rows: list[dict[str, Any]] = []
        while True:
            page, total = _page(web.json(f"{self.base}/v2/electricity/rto/region-data/data/", [
                ("frequency", "hourly"), ("data[0]", "value"), ("facets[respondent][]", code),
                ("facets[type][]", "D"), ("facets[type][]", "DF"),
                ("start", f"{begin + HOUR:%Y-%m-%dT%H}"), ("end", f"{end:%Y-%m-%dT%H}"),
                ("sort[0][column]", "period"), ("sort[0][direction]", "asc"),
                ("sort[1][column]", "type"), ("sort[1][direction]", "asc"),
                ("offset", str(len(rows))), ("length", str(PAGE)),
            ]))  # fmt: skip
            rows += page
            if len(rows) >= total:
                return rows
            if not page:
                raise SourceError(
                    f"EIA announced {total} rows of {code} and gave {len(rows)}", "all of them", "run it again later"
                )

    def _batch(
        self, code: str, begin: pd.Timestamp, end: pd.Timestamp, rows: list[dict[str, Any]]
    ) -> tuple[Batch, pd.Timestamp | None]:
        table, notes = _table(code, rows)
        table = table[table["ds"].between(begin, end, inclusive="left")]
        demand = table[table["type"] == "D"].rename(columns={"value": "y"})
        ahead = table[table["type"] == "DF"].rename(columns={"value": FORECAST})
        ahead = ahead.assign(available_at=_due(ahead["ds"], ZONES[code]))
        frame = merged(f"eia930-{code}", demand, ahead[ahead["available_at"] <= clock.now()])
        info = SeriesInfo(
            unique_id=f"eia930-{code}", zone=ZONES[code], unit="MW", step="1h", delay=self.delay, country="US"
        )
        seen = demand["ds"].max() + HOUR if len(demand) else None
        return Batch(frame, Columns(known=(FORECAST,)), (info,), {}, notes), seen


def _page(told: Any) -> tuple[list[dict[str, Any]], int]:
    """The rows of an answer and how many there are in all."""
    inner = told.get("response") if isinstance(told, dict) else None
    if not isinstance(inner, dict) or not isinstance(inner.get("data"), list) or not _whole(inner.get("total")):
        fields = ", ".join(inner if isinstance(inner, dict) else told if isinstance(told, dict) else [])
        raise DataError(
            f"EIA's answer has the fields {fields or 'of no table'}", "response.total and response.data",
            "EIA may have changed its interface; nothing of this answer was stored",
        )  # fmt: skip
    return inner["data"], int(inner["total"])


def _whole(total: object) -> bool:
    return isinstance(total, (int, str)) and str(total).isdigit()


def _table(code: str, rows: Sequence[dict[str, Any]]) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """type, ds (start), value of all rows that hold a number, and notes."""
    table = pd.DataFrame(list(rows), columns=None if rows else list(FIELDS))
    missing = [name for name in FIELDS if name not in table]
    if missing:
        raise DataError(
            f"EIA's rows have no field {', '.join(map(repr, missing))}, but {', '.join(map(str, table))}",
            ", ".join(FIELDS), "EIA may have changed its interface; nothing of this answer was stored",
            series=f"eia930-{code}",
        )  # fmt: skip
    units = sorted(set(table["value-units"].dropna()) - {"megawatthours"})
    if units:
        raise DataError(f"EIA's values are in {', '.join(units)}", "megawatthours", series=f"eia930-{code}")
    table = table.assign(
        ds=dated(table["period"], "%Y-%m-%dT%H", "EIA's field period") - HOUR,
        value=numbers(table["value"], "EIA's field value"),
    )
    wanted = table[table["respondent"].eq(code) & table["value"].notna()]
    return without_twins(wanted[["type", "ds", "value"]], ["type", "ds"], f"eia930-{code}")


def _due(ds: pd.Series, zone: str) -> pd.Series:
    """07:00 Eastern of each hour's civil day (UTC)."""
    days = pd.to_datetime(ds).dt.tz_convert(clock.zone(zone)).dt.tz_localize(None).dt.normalize()
    return (days + pd.Timedelta("7h")).dt.tz_localize(clock.zone("America/New_York")).dt.tz_convert("UTC")
