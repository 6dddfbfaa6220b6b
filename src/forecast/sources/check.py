"""`forecast check`: what was understood of a source, and what is wrong with it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from forecast import clock
from forecast.addresses import shown
from forecast.calendars import PREFIX, YEAR_DAYS
from forecast.errors import ForecastError
from forecast.quality import QualityReport, examine
from forecast.sources.clockwork import short_step
from forecast.sources.declaration import Declaration
from forecast.sources.facts import SeriesFacts, amount, series_facts
from forecast.sources.opening import Table, describes_itself, open_source
from forecast.sources.raw import Raw
from forecast.sources.remembered import Remembered, is_store
from forecast.sources.tidy import Tidy, demand_of_tidy, tidy
from forecast.tables import Demand

SHOWN = 5


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong (error) or worth knowing (warning)."""

    severity: Literal["error", "warning"]
    text: str


@dataclass(frozen=True)
class Report:
    """What was understood and what is wrong.

    Attributes:
        source: the source, without secrets.
        rows: what was understood: label and text.
        series: every series that could be read.
        findings: errors first.
        suggestion: a command that trains on this source, with the options that were understood; "" after an error.
        demand: the table; None after an error.
        quality: what is wrong with its values; empty after an error.
    """

    source: str
    rows: tuple[tuple[str, str], ...]
    series: tuple[SeriesFacts, ...]
    findings: tuple[Finding, ...]
    suggestion: str
    demand: Demand | None = None
    quality: QualityReport = field(default_factory=QualityReport)

    @property
    def ok(self) -> bool:
        """Whether the source can be used; warnings do not matter."""
        return not any(finding.severity == "error" for finding in self.findings)


def check(data: str | Path, declaration: Declaration | None = None, query: str | None = None) -> Report:
    """Reads a source as far as it goes; never raises for what is wrong with the data.

    Args:
        data: a file, a database URL, or the word "sample".
        declaration: how to read it.
        query: SQL, for a URL.
    """
    try:
        source = open_source(data, declaration, query)
        raw = source.raw()
    except ForecastError as error:
        rows = (("source", shown(str(data)) if "://" in str(data) else str(data)),)
        return Report(rows[0][1], rows, (), (Finding("error", str(error)),), "")
    return _report(source, raw, query)


def _report(source: Table, raw: Raw, query: str | None) -> Report:
    declaration = source.declaration
    table, idle, demand = tidy(raw, declaration), list[str](), None
    if not table.problems:
        with table.noting():
            # A store knows more of each value than the newest one.
            stored = isinstance(source, Remembered)
            demand = source.read() if stored else demand_of_tidy(table, raw.name, declaration)
            idle = _idle_events(demand)
    readable = table.frame is not None and table.step is not None
    series = tuple(series_facts(table.frame, table.zones, table.step)) if readable else ()
    findings = [Finding("error", str(problem)) for problem in table.problems]
    findings += [
        Finding("warning", text)
        for text in (*table.notes, *idle, *_warnings(series, raw), *_unread(series, table.step, declaration))
    ]
    rows = (*_rows(raw, declaration, table), *_values(series, declaration))
    suggestion = "" if table.problems else _suggestion(raw, declaration, query)
    # A store also tells what can flow at all.
    info = source.info() if isinstance(source, Remembered) else None
    quality = examine(demand, info) if demand is not None else QualityReport()
    return Report(raw.name, rows, series, tuple(findings), suggestion, demand, quality)


def _rows(raw: Raw, declaration: Declaration, table: Tidy) -> tuple[tuple[str, str], ...]:
    roles = raw.roles
    named = f"column '{roles.series}'" if roles.series else "named by the demand column"
    knowledge = f"column '{roles.available_at}'" if roles.available_at else f"{declaration.delay} after the period"
    zones = list(dict.fromkeys(map(clock.lived_zone, table.zones.values())))
    rows = [
        ("source", raw.name),
        ("rows", f"{len(raw.frame):,}"),
        *[("note", note) for note in raw.notes],
        ("time", f"column '{roles.time}', {declaration.stamp} of the period"),
        ("demand", f"{', '.join(roles.targets)} in {declaration.unit}"),
        ("series", f"{len(table.zones)}, {named}"),
        ("known ahead", ", ".join(declaration.known) or "none"),
        ("known up to the cutoff", ", ".join(declaration.past) or "none"),
        ("static", ", ".join(declaration.static) or "none"),
        ("demand known at", knowledge),
        ("step", short_step(table.step) + (" (declared)" if declaration.freq else "") if table.step else "unknown"),
        ("civil zone", _some(zones) or "unknown"),
    ]
    if declaration.stamp_zone:
        rows.append(("clock of the stamps", declaration.stamp_zone))
    if declaration.country:
        rows.append(("holidays of", declaration.country))
    if declaration.countries:
        rows.append(("holidays of single series", _pairs(declaration.countries)))
    if declaration.events:
        rows.append(("events", declaration.events))
    return tuple(rows)


def _values(series: tuple[SeriesFacts, ...], declaration: Declaration) -> list[tuple[str, str]]:
    """Rows on all series together."""
    if not series:
        return []
    short = sorted({day for one in series for day in one.short_days})
    long = sorted({day for one in series for day in one.long_days})
    gaps = sorted(((size, start, one.unique_id) for one in series for start, size in one.gaps), reverse=True)
    told = [f"{size} periods from {start:%Y-%m-%d %H:%M} ({name})" for size, start, name in gaps]
    middle = float(pd.Series([one.middle for one in series]).median())
    extremes = (min(one.low for one in series), middle, max(one.high for one in series))
    return [
        ("span", f"{min(one.first for one in series)} to {max(one.last for one in series)}"),
        ("missing", f"{sum(o.missing * o.periods for o in series) / sum(o.periods for o in series):.2%}"),
        ("longest gaps", _some(told, 3) or "none"),
        ("days shortened by the clock", _some(short) or "none"),
        ("days lengthened by the clock", _some(long) or "none"),
        ("min / median / max", " / ".join(map(amount, extremes)) + f" {declaration.unit}"),
    ]


def _warnings(series: tuple[SeriesFacts, ...], raw: Raw) -> list[str]:
    unused = [name for name in raw.headers if name not in raw.roles.used]
    texts = [f"columns not used: {_some(unused, 20)}"] if unused else []
    sparse = [f"{one.unique_id} {one.missing:.1%}" for one in series if one.missing > 0.05]
    texts += [f"more than 5 % of demand is missing: {_some(sparse)}"] if sparse else []
    return texts


def _idle_events(demand: Demand) -> list[str]:
    """Events of which the table holds no day that has demand: nothing can be learned of them."""
    idle = [name for name in demand.columns.known if name.startswith(PREFIX) and not _happens(demand, name)]
    names = _some([name.removeprefix(PREFIX) for name in idle])
    return [f"events without a day that has demand: {names}; nothing can be learned of them here"] if idle else []


def _happens(demand: Demand, name: str) -> bool:
    return any((np.isfinite(demand.observed(one)) & (demand.observed(one, name) > 0)).any() for one in demand.series)


def _unread(series: tuple[SeriesFacts, ...], step: pd.Timedelta | None, declaration: Declaration) -> list[str]:
    """What is declared and yet shown to no model."""
    if not series or step is None or not declaration.past:
        return []
    days = (max(one.last for one in series) + step - min(one.first for one in series)) / pd.Timedelta("1D")
    if days >= YEAR_DAYS:
        return []
    return [
        f"{', '.join(declaration.past)}: known up to the cutoff, and {days:.4g} days of history are under {YEAR_DAYS}; "
        "that would tell the season and not tomorrow, so no model is shown it until the history is longer"
    ]


def _pairs(countries: Mapping[str, str]) -> str:
    return ",".join(f"{name}={code}" for name, code in countries.items())


def _some(items: Sequence[object], limit: int = SHOWN) -> str:
    more = f" and {len(items) - limit} more" if len(items) > limit else ""
    return ", ".join(map(str, items[:limit])) + more


def _suggestion(raw: Raw, declaration: Declaration, query: str | None) -> str:
    """`forecast train …` with the options that are not the defaults."""
    words = ["forecast", "train", raw.name] + (["--query", query] if query else [])
    if not describes_itself(raw.name):
        told = {"time": raw.roles.time, "target": raw.roles.targets, "series": raw.roles.series}
        fields = [*told, "known", "past", "static", "only", "zone", "stamp_zone", "stamp", "freq", "unit"]
        fields += ["available_at", "delay", "decimal", "country", "countries", "events"]
    else:
        told, fields = {}, ["only"] if is_store(raw.name) else ["past", "delay", "events"]
    for name in fields:
        value = told.get(name) or getattr(declaration, name)
        if value != Declaration.model_fields[name].default:
            text = ",".join(value) if isinstance(value, tuple) else str(value)
            text = _pairs(value) if isinstance(value, Mapping) else text
            words += [f"--{name.replace('_', '-')}", text]
    return " ".join(map(shlex.quote, [*words, "--recipe", "default", "--out", "model"]))
