"""`Champion`: which versions are served. One reference holds all roles, so that no answer mixes two versions."""

from __future__ import annotations

import logging
import threading
import weakref
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pandas as pd

from forecast import clock
from forecast.errors import ForecastError, RegistryError
from forecast.registry.reader import Pointer
from serving.served import Served
from serving.stamps import written
from serving.swaps import Refused, Roles, Swap

log = logging.getLogger("serving")

PROBATION = pd.Timedelta(minutes=10)
"""How long a version is new; errors within it count towards the return to the previous one."""
MOST_ERRORS = 3
CHAMPION, PREVIOUS, CHALLENGER = "champion", "previous", "challenger"
Changed = Callable[[Roles, Swap | None], None]


class Champion:
    """What is served now, or why nothing is; what was before; what is tried beside it. Safe in any thread.

    Args:
        served: answers from the start.
    """

    def __init__(self, served: Served | None = None) -> None:
        self._roles = Roles(served)
        self._lock = threading.RLock()
        self._retired: weakref.WeakSet[Served] = weakref.WeakSet()
        self._refused: dict[str, Refused] = {}
        self._last: Swap | None = None
        self._listeners: list[Changed] = []
        self._why: ForecastError = RegistryError(
            "no model was loaded yet", "a registered champion", "wait, then ask again"
        )

    # ---- asked by whoever answers --------------------------------------------------------------------------------

    @property
    def loaded(self) -> bool:
        """Whether forecasts can be answered."""
        return self._roles.champion is not None

    @property
    def roles(self) -> Roles:
        """All that are in memory, as of one moment."""
        return self._roles

    def now(self) -> Served:
        """What is served.

        Raises:
            RegistryError, ModelFolderError: nothing is; the sentence says why and what to do.
        """
        served = self._roles.champion
        if served is None:
            why = self._why
            raise type(why)(why.found, why.expected, why.do, series=why.series, column=why.column, stamps=why.stamps)
        return served

    def previous(self) -> Served | None:
        """What was served before."""
        return self._roles.previous

    def challenger(self) -> Served | None:
        """What is tried beside the champion."""
        return self._roles.challenger

    def failed(self, served: Served, why: str) -> None:
        """Takes note of an answer that failed for reasons of the model's own.

        `MOST_ERRORS` of them within `PROBATION` of a version's promotion, more than the previous one made since, bring
        that one back. The version is not promoted again until its alias points elsewhere or an administrator asks.

        Args:
            served: whose answer.
            why: in words.
        """
        with self._lock:
            served.errors += 1
            if served.errors <= MOST_ERRORS:
                log.warning("%s erred (%d): %s", served, served.errors, why)
            previous = self._roles.previous
            if served is not self._roles.champion or previous is None or clock.now() - served.since > PROBATION:
                return
            # A question that both fail on is no fault of the new one.
            if served.errors - previous.errors >= MOST_ERRORS:
                self._return(served, previous, f"{served.errors} answers failed, the last one: {why}")

    def status(self) -> dict[str, Any]:
        """The versions in memory, the last change, and which versions are not served although an alias names them."""
        with self._lock:
            return {
                **{role: _entry(one) for role, one in self._roles},
                "last_swap": self._last.told() if self._last else None,
                "refused": [one.told(alias) for alias, one in self._refused.items()],
                "draining": sum(one.users for one in self._retired),
            }

    # ---- told by whoever follows the registry --------------------------------------------------------------------

    def take(self, served: Served, why: str = "its alias points to it") -> None:
        """Serves another version from now on; requests that are being answered finish on the one they began with."""
        with self._lock:
            before = self._roles.champion
            previous = before or self._roles.previous
            if previous is not None and previous.ref.digest == served.ref.digest:
                previous = None
            challenger = self._roles.challenger
            if challenger is not None and challenger.ref.digest == served.ref.digest:
                challenger = None
            if previous is not None:
                previous.errors = 0
            self._set(Roles(served, previous, challenger))
            self._tell(_swap("swapped", before, served, why))

    def assign(self, role: str, served: Served | None) -> None:
        """Fills or empties the role `previous` or `challenger`."""
        with self._lock:
            self._set(replace(self._roles, **{role: served}))
            self._tell(None)

    def missing(self, why: ForecastError) -> None:
        """Why nothing is served, for those who ask."""
        self._why = why

    def refused(self, alias: str) -> Refused | None:
        """The version that an alias pointed to and that is not served."""
        return self._refused.get(alias)

    def refuse(self, alias: str, one: Refused) -> None:
        """Remembers a version that is not to be served."""
        with self._lock:
            self._refused[alias] = one

    def pardon(self, *aliases: str) -> None:
        """Forgets that versions were refused."""
        with self._lock:
            for alias in aliases:
                self._refused.pop(alias, None)

    def refusals(self) -> Mapping[str, Refused]:
        """By alias, those that are not served."""
        with self._lock:
            return dict(self._refused)

    def listen(self, listener: Changed) -> None:
        """Has every change told, in the thread that makes it; at once where something is served already."""
        self._listeners.append(listener)
        if self.loaded:
            listener(self._roles, None)

    def _return(self, served: Served, previous: Served, why: str) -> None:
        log.error("back to %s: %s", previous, why)
        self._refused[CHAMPION] = Refused(Pointer(served.ref.version or "", served.ref.digest), why, clock.now())
        self._set(Roles(previous, None, self._roles.challenger))
        self._tell(_swap("returned", served, previous, why))

    def _set(self, roles: Roles) -> None:
        kept = {id(one) for _, one in roles}
        self._retired.update(one for _, one in self._roles if one is not None and id(one) not in kept)
        self._roles = roles

    def _tell(self, swap: Swap | None) -> None:
        if swap is not None:
            self._last = swap
            log.info("serving %s instead of %s: %s", swap.after, swap.before or "nothing", swap.why)
        for listener in self._listeners:
            listener(self._roles, swap)


def _swap(outcome: str, before: Served | None, after: Served, why: str) -> Swap:
    return Swap(outcome, str(before) if before else None, str(after), why, clock.now())


def _entry(one: Served | None) -> dict[str, Any] | None:
    if one is None:
        return None
    ref = one.ref
    return {
        "name": ref.name, "version": ref.version, "run_id": ref.run_id, "alias": ref.alias,
        "recipe": one.forecaster.spec.name, "digest": ref.digest, "since": written(one.since), "users": one.users,
        "errors": one.errors,
    }  # fmt: skip


__all__ = ["Champion", "Served"]
