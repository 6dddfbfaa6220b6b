"""`forecast ingest`: what a source has that is new, into the store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from forecast import clock
from forecast.cli.console import console
from forecast.cli.options import Data, with_data
from forecast.errors import DeclarationError, ForecastError, PartlyRead

if TYPE_CHECKING:
    from forecast.sources.contract import Source
    from forecast.store import IngestReport, Store

_FEED = "Reading again and again"
_SHOWN = 5


def _option(text: str, *names: str) -> Any:
    return typer.Option(*names, help=text, rich_help_panel=_FEED)


StoreUrl = Annotated[str | None, _option("Store: sqlite:///FILE or postgresql+psycopg://... [FORECAST_STORE].")]
Since = Annotated[str | None, _option("Where to begin: a day such as 2024-01-01, or the first value of --watermark.")]
Renamed = Annotated[str | None, _option("Columns renamed in later files of a folder, as NEW=OLD, comma-separated.")]
Settle = Annotated[str, _option("For how long a file in a folder must have kept still to be read.")]
_WHOLE = "Whether the last line of a folder's CSV must end: a sign that it is whole."
LineEnd = Annotated[bool, _option(_WHOLE, "--line-end/--no-line-end")]
Watermark = Annotated[str | None, _option("Column of the answer whose largest value :since is bound to [the stamps].")]
LookBack = Annotated[
    str | None, _option("How far before that to ask again [7D before the stamps, 1h before a watermark].")
]
History = Annotated[
    bool, _option("What comes now was known in its time, although it was not there at the last reading.", "--history")
]


@with_data
def ingest(
    data: Data,
    store: StoreUrl = None,
    since: Since = None,
    renamed: Renamed = None,
    settle: Settle = "10s",
    line_end: LineEnd = True,
    watermark: Watermark = None,
    look_back: LookBack = None,
    history: History = False,
) -> None:
    """Store what is new in DATA: a folder, a file, a query, or a connector such as eia930:ERCO,PJM or open-meteo.

    A second run goes on where the first one ended; what was changed meanwhile is stored as a revision. Broken files
    of a folder are named and set aside, and the exit code is 1.

    Example: `forecast ingest inbox --zone Europe/Lisbon --freq 1h`
    """
    from forecast.settings import Settings
    from forecast.sources.feeds import FeedOptions, open_feed
    from forecast.store import Store

    options = FeedOptions(
        since, _pairs(renamed), clock.duration(settle, "--settle"), line_end, watermark,
        None if look_back is None else clock.duration(look_back, "--look-back"),
    )  # fmt: skip
    settings = Settings.read()
    with Store.open(store, settings) as opened:
        known = [*opened.series().values()]
        source = open_feed(data.data, data.declaration, data.query, options, settings=settings, series=known)
        _ingest(opened, source, history)


def _ingest(store: Store, source: Source, history: bool) -> None:
    """Reads with a line of progress, and shows what was done also where it ends with an error."""
    done: list[IngestReport] = []
    try:
        with console.status("reading") as status:

            def tell(report: IngestReport) -> None:
                done[:] = [report]
                status.update(f"{report.new:,} new, {report.revised:,} revised, {report.known:,} stored already")

            done[:] = [store.ingest(source, tell, history=history)]
    except ForecastError as error:
        if done:
            _show(done[0], source.name, store.place)
        if not isinstance(error, PartlyRead):
            raise
        console.print("[red]broken[/] ", end="")
        console.print(str(error), markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(1) from None
    _show(done[0], source.name, store.place)


def _show(report: IngestReport, source: str, place: str) -> None:
    table = Table(title="Stored", title_justify="left", show_header=False, box=SIMPLE_HEAD)
    names = sorted(report.series)
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    rows = {
        "source": source, "store": place, "values read": f"{report.values:,}", "new": f"{report.new:,}",
        "revised": f"{report.revised:,}", "stored already": f"{report.known:,}",
        "series with news": ", ".join(names[:_SHOWN]) + more or "none",
    }  # fmt: skip
    for name, value in rows.items():
        table.add_row(name, value)
    console.print(table, markup=False, highlight=False)
    late = (
        f"{report.late:,} values should have been there at the last reading: they count as known from now on, and no "
        "earlier moment is forecast or trained with them; if they were known in their time, read them with --history"
    )
    for note in (*report.notes, *([late] if report.late else [])):
        console.print("[yellow]note[/] ", end="")
        console.print(note, markup=False, highlight=False, soft_wrap=True)


def _pairs(text: str | None) -> dict[str, str]:
    """ "Load MW=demand,When=time" as a mapping."""
    pairs = [part.partition("=") for part in (text or "").split(",") if part.strip()]
    odd = [new for new, sign, old in pairs if not (sign and new.strip() and old.strip())]
    if odd:
        raise DeclarationError(f"--renamed holds '{odd[0]}'", "pairs such as NEW=OLD,LATER=EARLIER")
    return {new.strip(): old.strip() for new, _, old in pairs}
