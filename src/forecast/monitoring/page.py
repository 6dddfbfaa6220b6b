"""The report of a day as one HTML file with its pictures inside, and the sentence that stands on top of it."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from forecast.monitoring.calling import Call, Quiet
from forecast.monitoring.watching import Watched
from forecast.store import Alarm, DayScore, Store

MOST_PICTURES, MOST_ROWS, DAYS_SHOWN = 4, 20, 7
WORDS: Mapping[str, str] = {
    "level": "demand's level changed", "shape": "the shape of the day changed",
    "error": "errors are larger than the season lets expect", "coverage": "the 80 % band holds too little",
    "drift": "demand moved since the same season of the year before", "stale": "an input is late",
    "stuck": "the meter tells one number all day",
}  # fmt: skip
LINK = "<!-- MLflow -->"
STYLE = """body{font:15px/1.5 system-ui,sans-serif;color:#222;max-width:64rem;margin:2rem auto;padding:0 1rem}
table{border-collapse:collapse;margin:.5rem 0 1.5rem}th,td{padding:.2rem .8rem .2rem 0;text-align:right;
border-bottom:1px solid #e4e4e4}th:first-child,td:first-child{text-align:left}img{max-width:100%}
.said{font-size:1.15rem}"""


@dataclass(frozen=True, eq=False)
class Report:
    """What a person reads of a day.

    Attributes:
        headline: in one sentence.
        figures: the day's own: `mae`, `skill_vs_naive`, `coverage_80`, `bias`, `expected`, and counts; NaN where there
            is none. Errors are shares of demand [%].
        html: the page, with its pictures.
    """

    headline: str
    figures: Mapping[str, float]
    html: str

    def linked(self, link: str | None) -> Report:
        """The same with a link to the day's run in MLflow, where there is one."""
        if link is None:
            return self
        told = f'<p><a href="{escape(link, quote=True)}">This day in MLflow</a></p>'
        return replace(self, html=self.html.replace(LINK, told, 1))


def report(store: Store, watched: Watched, said: Call | Quiet) -> Report:
    """Makes the page of a day.

    Args:
        store: where the days about an alarm are read.
        watched: what was found.
        said: whether a retraining is due.
    """
    figures = figures_of(watched)
    pictures = _pictures(store, watched)
    told = headline(watched, figures)
    parts = [f"<p class=said>{escape(told)}</p>", f"<p>{escape(said.text)}.</p>", LINK]
    parts += ["<h2>Alarms that nothing answered</h2>", _alarms(watched)]
    parts += [_picture(title, data) for title, data in pictures.items()]
    parts += ["<h2>Series, the largest errors for their season first</h2>", _series(watched.table)]
    parts += ["<h2>Inputs that are late</h2>", _late(watched.stale)]
    name = f"Forecasts of {watched.day}"
    html = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{name}</title><style>{STYLE}</style>'
        f"<h1>{name}</h1>{''.join(parts)}</html>"
    )
    return Report(told, figures, html)


def figures_of(watched: Watched) -> dict[str, float]:
    """The day's figures over all series: errors in percent of demand, every series alike."""
    told = watched.table if len(watched.table) else pd.DataFrame(columns=["unique_id", "expected_day"])
    expected = dict(zip(told["unique_id"], told["expected_day"], strict=True))
    hoped = [expected.get(one.unique_id, math.nan) / one.demand for one in watched.scores if one.demand > 0]
    return {
        **day_figures(watched.scores), "expected": 100 * _mean(np.array(hoped, dtype=np.float64)),
        "series": float(len(watched.scores)), "alarms": float(len(watched.alarms)),
        "open_alarms": float(len(watched.open)), "late_inputs": float(len(watched.stale)),
    }  # fmt: skip


def day_figures(scores: Sequence[DayScore]) -> dict[str, float]:
    """`mae` and `bias` [% of demand], `skill_vs_naive` and `coverage_80` [%]: every series alike, or NaN."""
    size = np.array([one.demand if one.demand > 0 else math.nan for one in scores], dtype=np.float64)
    mae, bias, own, naive = (
        np.array([getattr(one, name) for one in scores], dtype=np.float64) / size
        for name in ("mae", "bias", "compared_mae", "naive_mae")
    )
    return {
        "mae": 100 * _mean(mae), "bias": 100 * _mean(bias),
        "skill_vs_naive": 1 - _mean(own) / _mean(naive) if _mean(naive) > 0 else math.nan,
        "coverage_80": 100 * _mean(np.array([one.coverage for one in scores], dtype=np.float64)),
    }  # fmt: skip


def headline(watched: Watched, figures: Mapping[str, float]) -> str:
    """The day in one sentence."""
    if not watched.scores:
        return f"No forecast of {watched.day} can be judged yet."
    parts = [f"{len(watched.scores):,} series: error {figures['mae']:.2f} % of demand"]
    if math.isfinite(figures["expected"]):
        parts.append(f"{figures['expected']:.2f} % was to be expected")
    if math.isfinite(figures["skill_vs_naive"]):
        skill = round(100 * figures["skill_vs_naive"])
        parts.append(f"{abs(skill)} % {'better' if skill >= 0 else 'worse'} than last week again")
    if math.isfinite(figures["coverage_80"]):
        parts.append(f"{figures['coverage_80']:.0f} % within the 80 % band")
    kinds = sorted({one.kind for one in watched.alarms})
    alarms = f"{len(watched.alarms)} new: {', '.join(kinds)}" if watched.alarms else "none is new"
    return f"{', '.join(parts)}. Alarms: {alarms}."


def _mean(values: npt.NDArray[np.float64]) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else math.nan


def _pictures(store: Store, watched: Watched) -> dict[str, bytes]:
    """PNG by title."""
    from forecast.plots.monitored import alarm_figure, bands_figure, days_figure

    if not len(watched.by_day):
        return {}
    made = {"From day to day": _png(days_figure(watched)), "By hour and lead": _png(bands_figure(watched))}
    broken = [one for one in watched.open if one.unique_id is not None and one.kind in ("level", "shape", "error")]
    for one in sorted(broken, key=lambda alarm: alarm.day, reverse=True)[:MOST_PICTURES]:
        first = (watched.day - timedelta(days=DAYS_SHOWN)).isoformat()
        scores = store.scores([str(one.unique_id)], first, watched.day.isoformat())
        if scores:
            made[f"{one.unique_id}, {one.kind} since {one.day}"] = _png(alarm_figure(one, scores))
    return made


def _png(figure: Any) -> bytes:
    room = io.BytesIO()
    figure.savefig(room, format="png", dpi=110)
    return room.getvalue()


def _picture(title: str, data: bytes) -> str:
    coded = base64.b64encode(data).decode()
    image = f'<img alt="{escape(title, quote=True)}" src="data:image/png;base64,{coded}">'
    return f"<h2>{escape(title)}</h2>{image}"


def rows_of_alarms(alarms: tuple[Alarm, ...]) -> list[dict[str, Any]]:
    """Alarms as rows that a person reads, newest first."""
    return [
        {
            "series": one.unique_id or "all", "since": one.day, "what": WORDS.get(one.kind, one.kind),
            "size": one.detail.get("size", ""), "strength": one.detail.get("strength", ""),
        }
        for one in sorted(alarms, key=lambda one: one.day, reverse=True)
    ]  # fmt: skip


def _alarms(watched: Watched) -> str:
    rows = rows_of_alarms(watched.open)
    return _table(pd.DataFrame(rows).head(MOST_ROWS)) if rows else "<p>None.</p>"


def _series(table: pd.DataFrame) -> str:
    if not len(table):
        return "<p>None was scored.</p>"
    shown = table.sort_values("ratio", ascending=False, na_position="last").head(MOST_ROWS)
    names = ["unique_id", "mae", "expected", "ratio", "skill", "bias", "coverage", "drift"]
    return _table(shown[names])


def _late(late: pd.DataFrame) -> str:
    return _table(late.head(MOST_ROWS)) if len(late) else "<p>None.</p>"


def _table(frame: pd.DataFrame) -> str:
    head = "".join(f"<th>{escape(str(name).replace('_', ' '))}</th>" for name in frame.columns)
    rows = "".join(
        "<tr>" + "".join(f"<td>{escape(_cell(value))}</td>" for value in row) + "</tr>"
        for row in frame.itertuples(index=False)
    )
    return f"<table><tr>{head}</tr>{rows}</table>"


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}" if math.isfinite(value) else "–"
    return f"{value:%Y-%m-%d %H:%MZ}" if isinstance(value, pd.Timestamp) else str(value)


def write(told: Report, folder: Path, name: str) -> Path:
    """Writes the page; returns its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.html"
    path.write_text(told.html, encoding="utf-8")
    return path
