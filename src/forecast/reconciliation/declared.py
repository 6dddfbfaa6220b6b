"""Who is a part of whom, as `--parents` says it: pairs, a CSV file, or what the registry of a store tells."""

from __future__ import annotations

from forecast.reconciliation.hierarchy import Hierarchy
from forecast.reconciliation.pairs import read_hierarchy
from forecast.sources import is_store, store_url
from forecast.sources.remembered import WORD
from forecast.store import Store


def declared_hierarchy(parents: str, data: str = WORD) -> Hierarchy:
    """The hierarchy that a text tells.

    Args:
        parents: pairs such as "north:all,south:all", a CSV file with the columns child and parent, "store:URL", or the
            word "store".
        data: what is forecast; where it is a store, the word "store" means that one, else the store of the settings.

    Raises:
        DeclarationError: neither of these, a circle, two parents of one child, or a store that tells no parent.
        StoreError: the store cannot be read.
    """
    if not is_store(parents):
        return read_hierarchy(parents)
    chosen = data if parents == WORD and is_store(data) else parents
    with Store.open(store_url(chosen), make=False) as store:
        return Hierarchy.of_series(store.series().values())
