"""`forecast keys`: API keys of the service, kept as hashes."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from forecast.cli.console import console

app = typer.Typer(help="API keys of the service: add, list, revoke.", no_args_is_help=True)


@app.command("add")
def add(
    name: Annotated[str, typer.Option(help="Who will have it.")],
    scope: Annotated[str, typer.Option(help="What it may do: forecast, ingest, admin; commas between.")] = "forecast",
    rate: Annotated[int | None, typer.Option(min=0, help="Requests per minute, 0 without limit [6000].")] = None,
) -> None:
    """Make a key and print it once; only its hash is kept. A running service takes it within a second.

    Example: `forecast keys add --name trader --scope forecast,ingest`
    """
    from forecast.settings import Settings
    from serving.keys import Keys

    path = Settings.read().key_file
    keys, token = Keys.read(path).added(name, [one.strip() for one in scope.split(",") if one.strip()], rate)
    keys.write(path)
    print(token)
    typer.echo(f"Keep it now: only its hash is in {path}. From now on the service asks everybody for a key.", err=True)


@app.command("list")
def listed() -> None:
    """Show whose keys there are, and what they may do; the keys themselves nobody can show.

    Example: `forecast keys list`
    """
    from forecast.settings import Settings
    from serving.keys import Keys

    path = Settings.read().key_file
    table = Table("id", "name", "scopes", "per minute", "made", box=SIMPLE_HEAD)
    for key in Keys.read(path).keys:
        rate = "default" if key.rate_per_minute is None else str(key.rate_per_minute or "no limit")
        table.add_row(key.id, key.name, ", ".join(key.scopes), rate, key.made_at)
    console.print(table if table.row_count else f"No keys in {path}.")


@app.command("revoke")
def revoke(who: Annotated[str, typer.Argument(help="Id or name of the key.")]) -> None:
    """Take a key away; a running service refuses it within a second.

    Example: `forecast keys revoke trader`
    """
    from forecast.settings import Settings
    from serving.keys import Keys

    path = Settings.read().key_file
    Keys.read(path).without(who).write(path)
    console.print(f"Revoked {who}.")
