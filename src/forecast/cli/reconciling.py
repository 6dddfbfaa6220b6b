"""`--parents`, `--reconcile`, `--errors`: a forecast whose children sum to their parents."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Self

import pandas as pd
import typer

from forecast.errors import DataError, DeclarationError

if TYPE_CHECKING:
    from forecast.reconciliation import Hierarchy
    from forecast.tables import Demand, Forecast

Parents = Annotated[
    str | None,
    typer.Option(
        help="Make children sum to parents: pairs north:all,south:all, a CSV with child,parent, or the word store."
    ),
]
Reconcile = Annotated[
    str | None,
    typer.Option(help="How: bottom-up, structural, spread, variance or mint [mint with --errors, else spread]."),
]
Errors = Annotated[
    Path | None,
    typer.Option(help="Past errors that variance and mint learn from: the table of `forecast backtest --out`."),
]


@dataclass(frozen=True, eq=False)
class Reconciling:
    """What the options said.

    Attributes:
        hierarchy: who is a part of whom.
        method: as `reconciliation.reconcile` takes it.
        errors: a walk's table.
    """

    hierarchy: Hierarchy
    method: str | None
    errors: pd.DataFrame | None

    @classmethod
    def of(cls, parents: str | None, method: str | None, errors: Path | None, data: str = "store") -> Self | None:
        """None where nothing is asked for; read before anything long begins. `data` is what is forecast.

        Raises:
            DeclarationError: a method or errors without parents, or parents that cannot be read. RequestError: an
                unknown method, or one that needs errors and has none. DataError: no table of a walk.
        """
        from forecast.reconciliation import check_method
        from forecast.reconciliation.declared import declared_hierarchy

        if parents is None:
            given = [name for name, value in (("--reconcile", method), ("--errors", errors)) if value is not None]
            if given:
                raise DeclarationError(f"{' and '.join(given)} without --parents", "--parents north:all,south:all")
            return None
        if method is not None:
            check_method(method, errors=errors is not None)
        return cls(declared_hierarchy(parents, data), method, _walk_table(errors) if errors is not None else None)

    def done(self, said: Forecast, demand: Demand) -> Forecast:
        """The forecast, reconciled; its warnings tell where parents were not sums in the history known to it.

        Raises:
            DataError, RequestError: see `reconciliation.reconcile`.
        """
        from forecast.reconciliation import add_up

        return add_up(said, demand, self.hierarchy, self.method, self.errors)


def _walk_table(file: Path) -> pd.DataFrame:
    try:
        table = pd.read_parquet(file) if file.suffix == ".parquet" else pd.read_csv(file)
    except (OSError, ValueError) as error:
        told = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(
            f"--errors {file} cannot be read ({told[:120]})", "what forecast backtest --out wrote"
        ) from error
    missing = [name for name in ("unique_id", "ds", "cutoff", "y", "mean") if name not in table.columns]
    if missing:
        raise DataError(f"--errors {file} lacks {', '.join(missing)}", "what forecast backtest --out wrote")
    stamps = {name: pd.to_datetime(table[name], utc=True) for name in ("ds", "cutoff")}
    return table.assign(unique_id=table["unique_id"].astype(str), **stamps)
