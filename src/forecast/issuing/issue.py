"""`issue`: the forecasts of a day, block by block."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from forecast import clock
from forecast.errors import ForecastError, StoreError
from forecast.issuing.due import Block, Question, blocks_of
from forecast.issuing.groups import grouped
from forecast.issuing.issuance import Issuance
from forecast.issuing.side_by_side import each
from forecast.issuing.speakers import Speakers, loaded
from forecast.settings import Settings
from forecast.store import Store, catalogue
from forecast.store.catalogue import Entry

BATCH = 1024
"""Series that are read, forecast and written together, unless told otherwise."""
Progress = Callable[[Issuance, int], None]


def issue(
    store: Store, settings: Settings, question: Question, *, series: Sequence[str] | None = None,
    speakers: Speakers | None = None, batch: int = BATCH, workers: int = 1, progress: Progress | None = None,
) -> Issuance:  # fmt: skip
    """Writes one forecast of a delivery day for every series into the ledger; what is there is not written again.

    A run that was killed is continued by the next one. Nothing that became known after the gate, or is not known yet,
    is used; when it was written stands beside each forecast.

    Args:
        store: what is known, and the ledger.
        settings: of the registry and the cache.
        question: day, gate and purpose.
        series: only these; all that have a value where None.
        speakers: the versions to ask; those of the registry where None. Where the settings group series, the versions
            of a group's own model come first.
        batch: series that are read, forecast and written together; memory grows with it.
        workers: processes that work side by side.
        progress: told what was done so far and how many series are due, block after block.

    Raises:
        RequestError: the day of an issue is over, or that of a backfill has not begun.
        StoreError: the store does not answer, or holds no such series; what was written before stays.
    """
    speakers = speakers or Speakers.find(settings)
    with store.snapshot() as connection:
        entries = catalogue.entries(connection, series)
    if missing := sorted(set(series or ()) - set(entries)):
        raise StoreError(f"the store holds no series {', '.join(missing[:5])}", "series that it holds")
    done, now, due = Issuance(notes=speakers.notes), clock.now(), 0
    work: list[tuple[Block, Speakers]] = []
    for some, asked in grouped(entries, speakers, settings):
        plan = blocks_of(question, _measured(some, asked, settings), batch, now)
        soon = {zone: f"its gate is at {at:%Y-%m-%dT%H:%MZ}" for zone, at in plan.early.items()}
        done += Issuance(left={**plan.skipped, **soon}, notes=asked.notes)
        work += [(block, asked) for block in plan.blocks]
        due += plan.series
    for one in each(store, settings, work, workers):
        done += one
        if progress is not None:
            progress(done, due)
    return done


def _measured(entries: Mapping[str, Entry], speakers: Speakers, settings: Settings) -> dict[str, Entry]:
    """The series that can have a forecast: those with a value, and those whose level static columns tell the champion.

    A series that only a request has named is none of them.
    """
    static = _starting(speakers, settings) if any(one.anchor is None for one in entries.values()) else None
    return {name: one for name, one in entries.items() if one.anchor is not None or _starts(one, static)}


def _starting(speakers: Speakers, settings: Settings) -> tuple[str, ...] | None:
    """The static columns from which the champion starts; None where it needs a history."""
    try:
        spec = loaded(speakers.champion, settings).spec if speakers.champion is not None else None
    except ForecastError:
        spec = None
    return spec.static if spec is not None and spec.starts_from_static else None


def _starts(one: Entry, static: tuple[str, ...] | None) -> bool:
    return static is not None and not one.asked and all(column in one.info.static for column in static)
