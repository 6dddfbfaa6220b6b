"""`Entsoe`: actual load and day-ahead load forecast of Europe's bidding zones, from ENTSO-E's Transparency Platform.

entsoe-py composes the questions and reads the XML; `Polite` carries them, so that waiting, refusals and keys are
treated as everywhere. Stamps are starts of periods in UTC, in hours, half hours or quarters of an hour.
Source: https://transparencyplatform.zendesk.com (Web API guide); Regulation (EU) 543/2013, article 6, for the delays.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from types import ModuleType
from typing import Any
from xml.etree import ElementTree

import pandas as pd

from forecast import clock
from forecast.errors import DataError, DeclarationError, SourceError
from forecast.sources.catching_up import catching_up
from forecast.sources.contract import Batch, Mark
from forecast.sources.keys import Key
from forecast.sources.polite import Answer, Manners, Polite, Unreadable
from forecast.sources.rows import CHANGED, merged, without_twins
from forecast.tables import Columns, SeriesInfo

ENTSOE_URL = "https://web-api.tp.entsoe.eu/api"
ENTSOE_START = pd.Timestamp("2015-01-01T00:00Z")
MANNERS = Manners(pause=0.3, timeout=300)  # 400 requests a minute; an answer may take 300 s
WINDOW = pd.Timedelta("30D")
LOOK_BACK = pd.Timedelta("7D")
FORECAST = "demand_forecast"
MARKET = "Europe/Brussels"


@dataclass(frozen=True)
class Entsoe:
    """Actual load `y` and the known-ahead covariate `demand_forecast`, one series per bidding zone.

    A load counts as known `delay` after its period. A forecast for a day of the market (Brussels time) counts as
    known at 10:00 of the day before, two hours before the gate closes, by when it has to be published, and is not
    read before: so the past and the present say the same.

    Attributes:
        zones: codes as entsoe-py has them ("PT", "DE_LU"); series are called "entsoe-DE_LU".
        key: the platform's security token.
        step: the step of the series; None: the one that is met first, kept in the mark. Finer answers are averaged.
        start: the first moment to read.
        look_back: what is read again at every run, so that corrections are seen.
        delay: how long after its period a load is published.
        base: address of the API.
        manners: how it is asked.

    Raises:
        DeclarationError: a code is unknown, or entsoe-py is not installed.
    """

    zones: tuple[str, ...]
    key: Key
    step: pd.Timedelta | None = None
    start: pd.Timestamp = ENTSOE_START
    look_back: pd.Timedelta = LOOK_BACK
    delay: str = "1h"
    base: str = ENTSOE_URL
    manners: Manners = MANNERS

    def __post_init__(self) -> None:
        areas = _package("entsoe.mappings").Area.__members__
        unknown = [code for code in self.zones if code not in areas]
        if unknown or not self.zones:
            raise DeclarationError(
                f"ENTSO-E has no bidding zone {', '.join(unknown) or 'without a name'}",
                f"some of {', '.join(sorted(areas))}",
            )

    @property
    def name(self) -> str:
        """Under which the store keeps the mark: also what is read, for the store remembers of each name when it was
        last read to its end, and holds what comes later than that for late.
        """
        return f"entsoe:{','.join(sorted(self.zones))}"

    def batches(self, mark: Mark | None) -> Iterator[Batch]:
        """What is new since `mark`: 30 days of one zone at a time; see `Source.batches`."""
        with Polite(self.manners, self.key) as web:
            asked = partial(self._batch, _client(web, self.base))
            yield from catching_up(asked, self.zones, mark, self.start, self.look_back, WINDOW)

    def _batch(
        self, client: Any, code: str, begin: pd.Timestamp, end: pd.Timestamp, mark: Mark | None
    ) -> tuple[Batch, pd.Timestamp | None]:
        name, known = f"entsoe-{code}", (mark or {}).get("step", {}).get(code)
        step = self.step if self.step is not None else pd.Timedelta(known) if known else None
        load, step, said = _asked(name, "y", client.query_load, code, begin, end, step)
        ahead, step, told = _asked(name, FORECAST, client.query_load_forecast, code, begin, end, step)
        ahead = ahead.assign(available_at=_due(ahead["ds"]))
        frame = merged(name, load, ahead[ahead["available_at"] <= clock.now()])
        area = _package("entsoe.mappings").Area[code]
        info = SeriesInfo(
            unique_id=name, zone=area.tz, unit="MW", step=str(step) if step is not None else None, delay=self.delay,
            country=code[:2],
        )  # fmt: skip
        seen = load["ds"].max() + step if len(load) and step is not None else None
        # The store takes no series without a step; before its first value a zone has none.
        if step is None:
            return Batch(frame, Columns(known=(FORECAST,)), (), {}, said + told), seen
        return Batch(frame, Columns(known=(FORECAST,)), (info,), {"step": {code: str(step)}}, said + told), seen


class _Session:
    """What entsoe-py takes for a `requests.Session`: its questions go through `Polite`, which alone holds the token."""

    def __init__(self, web: Polite, base: str) -> None:
        self._web, self._base = web, base
        self.headers: dict[str, str] = {}

    def get(self, url: str, params: Mapping[str, str], **_: object) -> Any:
        """The answer as requests has it; a refusal (400) may only say that there is no data."""
        import requests

        query = [(name, str(value)) for name, value in params.items() if name != "securityToken"]
        answer = self._web.read(self._base, _whole_xml, query, accept=(400,))
        told = requests.Response()
        told.status_code, told.raw, told.encoding = answer.status, io.BytesIO(answer.content), "utf-8"
        told.headers["content-type"], told.url = "text/xml", self._base
        return told


def _client(web: Polite, base: str) -> Any:
    client = _package("entsoe").EntsoeRawClient
    return client(api_key="the session carries it", session=_Session(web, base), retry_count=1, retry_delay=0)


def _package(name: str) -> ModuleType:
    import importlib

    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise DeclarationError(
            f"the package '{error.name}' is not installed", "what reads ENTSO-E",
            'pip install "demand-forecast[entsoe]"',
        ) from None  # fmt: skip


@contextmanager
def _calm() -> Iterator[None]:
    """Without the warning that entsoe-py reads XML as HTML, which is what its parsers are made for."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*HTML parser to parse an XML document")
        yield


def _whole_xml(answer: Answer) -> Answer:
    """The answer, if it is XML to its end: entsoe-py would read half a document without a word."""
    try:
        ElementTree.fromstring(answer.content)
    except ElementTree.ParseError as error:
        raise Unreadable(f"answered {len(answer.content):,} bytes that are not whole XML ({error})") from None
    return answer


def _asked(
    name: str, column: str, query: Callable[..., str], code: str, begin: pd.Timestamp, end: pd.Timestamp,
    step: pd.Timedelta | None,
) -> tuple[pd.DataFrame, pd.Timedelta | None, tuple[str, ...]]:  # fmt: skip
    """ds and one column of a span, the step, and notes; an empty table where the platform has nothing."""
    import requests
    from entsoe.exceptions import NoMatchingDataError

    try:
        with _calm():
            text = query(code, start=begin, end=end)
    except NoMatchingDataError:
        empty = pd.DataFrame({"ds": pd.Series(dtype="datetime64[ns, UTC]"), column: pd.Series(dtype=float)})
        return empty, step, ()
    except requests.HTTPError as error:
        raise _refused(error.response.text if error.response is not None else "") from None
    sizes = _sizes(name, text)
    step = step if step is not None else max(sizes)
    told = pd.concat([_in_steps(name, _read(name, part), size, step) for size, part in sizes.items()])
    table, notes = without_twins(told[told["ds"].between(begin, end, inclusive="left")], ["ds"], name)
    return table.rename(columns={"value": column}), step, notes


def _refused(text: str) -> SourceError:
    found = re.search(r"<text>(.*?)</text>", text, re.DOTALL)
    told = " ".join(found[1].split())[:200] if found else "without a reason"
    return SourceError(f"ENTSO-E does not accept the request ({told})", "an answer", "check the zone and the span")


def _read(name: str, text: str) -> pd.DataFrame:
    """ds and value of a document, as entsoe-py reads it."""
    units = set(re.findall(r"<quantity_Measure_Unit\.name>(.*?)<", text)) - {"MAW"}
    if units:
        raise DataError(f"ENTSO-E's values are in {', '.join(sorted(units))}", "MAW (megawatts)", series=name)
    try:
        with _calm():
            load = _package("entsoe.parsers").parse_loads(text, process_type="A16")["Actual Load"]
    except (AttributeError, KeyError, ValueError, TypeError, IndexError, NotImplementedError) as error:
        raise DataError(
            f"ENTSO-E's document cannot be read ({type(error).__name__}: {error})",
            "TimeSeries with Period, resolution, Point, position and quantity", CHANGED, series=name,
        ) from None  # fmt: skip
    return pd.DataFrame({"ds": pd.DatetimeIndex(load.index).tz_convert("UTC"), "value": load.to_numpy(float)})


def _sizes(name: str, text: str) -> dict[pd.Timedelta, str]:
    """The document, split by the length of its periods."""
    minutes = sorted({int(size) for size in re.findall(r"<resolution>PT(\d+)M<", text)}, reverse=True)
    if not minutes:
        raise DataError("ENTSO-E's document tells no resolution in minutes", "PT15M, PT30M or PT60M", series=name)
    if len(minutes) == 1:
        return {pd.Timedelta(minutes=minutes[0]): text}
    return {pd.Timedelta(minutes=size): _only(text, size) for size in minutes}


def _only(text: str, minutes: int) -> str:
    kept, size = [], f"<resolution>PT{minutes}M<"
    period = re.compile(r"<Period>.*?</Period>", re.DOTALL)
    for series in re.findall(r"<TimeSeries>.*?</TimeSeries>", text, re.DOTALL):
        part = period.sub(lambda found: found[0] if size in found[0] else "", series)
        kept += [part] if "<Period>" in part else []
    return f"<GL_MarketDocument>{''.join(kept)}</GL_MarketDocument>"


def _in_steps(name: str, table: pd.DataFrame, size: pd.Timedelta, step: pd.Timedelta) -> pd.DataFrame:
    """The table in periods of `step`: finer ones are averaged where all of them are there."""
    if size > step:
        raise DataError(
            f"ENTSO-E tells periods of {size // pd.Timedelta('1min')} minutes",
            f"{step // pd.Timedelta('1min')} minutes or less, the step of the series",
            "read the zone by the hour, or from a later start", series=name,
        )  # fmt: skip
    if size == step:
        return table
    groups = table.drop_duplicates("ds", keep="last").groupby(table["ds"].dt.floor(step))["value"]
    means = groups.mean()[groups.size() == step // size]
    return pd.DataFrame({"ds": means.index, "value": means.to_numpy(float)})


def _due(ds: pd.Series) -> pd.Series:
    """10:00 in Brussels of the day before each period's day of the market (UTC)."""
    days = pd.to_datetime(ds).dt.tz_convert(clock.zone(MARKET)).dt.tz_localize(None).dt.normalize()
    return (days - pd.Timedelta("14h")).dt.tz_localize(clock.zone(MARKET)).dt.tz_convert("UTC")
