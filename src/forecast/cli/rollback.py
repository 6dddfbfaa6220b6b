"""`forecast rollback` and `forecast decisions`: who is champion, since when and why; and back."""

from __future__ import annotations

import getpass
import json
from typing import TYPE_CHECKING, Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from forecast.cli.console import console
from forecast.settings import Settings

if TYPE_CHECKING:
    from forecast.registry.decisions import Decision

Model = Annotated[str | None, typer.Option("--register", help="Name of the registered model [demand].")]


def rollback(
    why: Annotated[str, typer.Option(help="The reason; it is written down.")],
    by: Annotated[str | None, typer.Option(help="Who decides [the user of this machine].")] = None,
    register: Model = None,
) -> None:
    """Make the version that reigned before the champion again; the service follows.

    It is refused where nothing reigned before. For some days afterwards nothing is promoted
    (FORECAST_PROMOTION_COOLDOWN_DAYS).

    Example: `forecast rollback --why "wrong at weekends"`
    """
    from forecast.promotion import rollback as back

    kept, urls = back(_settings(register), by=by or _user(), why=why)
    console.print(f"{kept.sentence[0].upper()}{kept.sentence[1:]}.", markup=False, highlight=False, soft_wrap=True)
    for name, link in urls.items():
        console.print(f"MLflow, {name}: {link}", markup=False, highlight=False, soft_wrap=True)


def decisions(
    version: Annotated[str | None, typer.Option(help="Only those on this version.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Whole records, newest first.")] = False,
    register: Model = None,
) -> None:
    """List who became champion, who did not, when, by whom and why, newest first.

    Example: `forecast decisions --json`
    """
    from forecast.registry import reader
    from forecast.registry.decisions import decisions_of

    settings = _settings(register)
    found = [one for one in decisions_of(reader.versions(settings)) if version in (None, one.version, one.against)]
    if as_json:
        told = [one.model_dump(mode="json") for one in found]
        console.print(json.dumps(told, ensure_ascii=False, indent=1), markup=False, highlight=False, soft_wrap=True)
    elif not found:
        console.print(f"Nothing was decided yet on model '{settings.model_name}'.", markup=False, highlight=False)
    else:
        _show(found)


def _show(found: list[Decision]) -> None:
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in ("when", "version", "against", "outcome", "gain %", "days", "by", "why"):
        table.add_column(name, justify="right" if name in ("gain %", "days") else "left", overflow="fold")
    for one in found:
        gain, days = (one.figures.get(name) for name in ("gain_percent", "days"))
        table.add_row(
            f"{one.at[:16].replace('T', ' ')}Z", f"{one.version} {one.recipe}".strip(), one.against or "–", one.outcome,
            "–" if gain is None else f"{gain:+.1f}", "–" if days is None else f"{days:.0f}", one.by,
            one.reasons[-1] if one.reasons else "",
        )  # fmt: skip
    console.print(table)


def _settings(name: str | None) -> Settings:
    return Settings.read(**({"model_name": name} if name else {}))


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"
