"""`Follower`: what the aliases of the registry point to is fetched, tried and served, while the service goes on."""

from __future__ import annotations

import logging
import random
import threading
from dataclasses import replace
from functools import partial
from typing import Any

import anyio
import anyio.to_thread
import pandas as pd

from forecast import clock
from forecast.errors import ForecastError, ModelFolderError, RegistryError
from forecast.registry.reader import ModelRef, Pointer, not_registered, parse, pointers, resolve
from forecast.settings import Settings
from serving.loader import CHALLENGER, CHAMPION, PREVIOUS, Champion
from serving.remembered import Remembered, remember
from serving.served import Served
from serving.stamps import written
from serving.swaps import Refused, Roles, Swap
from serving.telemetry import Telemetry
from serving.trial import opened

log = logging.getLogger("serving")

LONGEST_PAUSE = 10
"""How many times the usual pause is waited at the most while the registry does not answer."""
TRIED_AGAIN = pd.Timedelta(minutes=10)
"""When a version whose files are broken is fetched again: somebody may have mended them."""


class Follower:
    """Keeps a `Champion` at what the registry says, as long as the registry says anything.

    Args:
        settings: which model, which registry, how often.
        champion: what is served.
        telemetry: is told of every change.
    """

    def __init__(self, settings: Settings, champion: Champion, telemetry: Telemetry) -> None:
        self._settings, self._champion, self._telemetry = settings, champion, telemetry
        # A forecaster that was handed over, a folder and a number are what they are; only an alias moves.
        self._given = champion.loaded
        self._alias = parse(settings.champion) if _names_an_alias(settings.champion) and not self._given else None
        self._one_look, self._writing = threading.Lock(), threading.Lock()
        self._error: ForecastError | None = None
        self._standing_in: str | None = None
        self._last_look: pd.Timestamp | None = None
        self._failures = 0
        self._written: object = None
        self._told: dict[str, Pointer] = {}
        champion.listen(self._changed)

    # ---- asked ---------------------------------------------------------------------------------------------------

    @property
    def error(self) -> ForecastError | None:
        """Why the last look came to nothing; None where all is as the registry says."""
        return self._error

    def status(self) -> dict[str, Any]:
        """What is followed, when it was looked at last, what went wrong."""
        told = self._champion.status()
        return {
            "follows": self._settings.champion if self._alias else None,
            "every_s": self._settings.follow_s if self._alias else 0,
            "last_look": written(self._last_look) if self._last_look is not None else None,
            "last_error": str(self._error) if self._error else None,
            "standing_in": self._standing_in,
            "refused": told["refused"], "draining": told["draining"],
        }  # fmt: skip

    # ---- done ----------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Loads the champion, or what was served last where the registry has none to give; in a thread."""
        if self._given:
            return
        for alias, one in Remembered.read(self._settings.cache, self._settings.champion).refused.items():
            self._champion.refuse(alias, one)
        self.look(only_champion=True)
        if not self._champion.loaded and self._error is not None:
            self._stand_in(self._error)

    async def run(self) -> None:
        """Looks again and again, until it is cancelled."""
        while not self._given and self._settings.follow_s:
            await anyio.sleep(self._pause())
            await anyio.to_thread.run_sync(self.look, abandon_on_cancel=True)
            if not self._alias and self._champion.loaded:
                return

    async def reload(self) -> None:
        """Looks at once, also at versions that were refused; `error` says how it went."""
        if not self._given:
            await anyio.to_thread.run_sync(partial(self.look, again=True))

    def look(self, *, again: bool = False, only_champion: bool = False) -> None:
        """Asks the registry once, and serves what it names; a failure is kept, and what is served stays.

        Args:
            again: also tries what was refused, and reads a folder anew.
            only_champion: leaves the other roles for later.
        """
        with self._one_look:
            if again:
                self._champion.pardon(CHAMPION, PREVIOUS, CHALLENGER)
            try:
                self._follow(only_champion) if self._alias else self._load(again)
            except ForecastError as error:
                self._note(error)
            except Exception as error:
                log.exception("%s could not be looked at", self._settings.champion)
                self._note(_unforeseen(self._settings.champion, error))
            else:
                self._note(None)
            self._last_look = clock.now()
        self._write()

    def _follow(self, only_champion: bool) -> None:
        assert self._alias is not None
        assert self._alias.alias is not None
        self._told = {}
        self._told = told = pointers(self._alias.name, self._settings)
        try:
            self._champion_of(self._alias.alias, told)
        finally:
            if not only_champion and self._champion.loaded:
                self._beside(PREVIOUS, told)
                self._beside(CHALLENGER, told)

    def _champion_of(self, alias: str, told: dict[str, Pointer]) -> None:
        pointer = told.get(alias)
        if pointer is None:
            assert self._alias is not None
            raise not_registered(self._alias, "the registry has no such alias")
        current = self._champion.roles.champion
        if current is not None and _is(current, pointer):
            self._standing_in = None
            self._champion.pardon(CHAMPION)
            return
        refused = self._champion.refused(CHAMPION)
        if refused is not None and refused.stands(pointer, clock.now()):
            if current is None:
                raise ModelFolderError(f"version {pointer.version}: {refused.why}", "a version that answers")
            return
        self._champion.pardon(CHAMPION)
        served = self._ready(CHAMPION, pointer, alias)
        self._standing_in = None
        self._champion.take(served)

    def _beside(self, role: str, told: dict[str, Pointer]) -> None:
        """Fills a role beside the champion; a failure there is logged, and touches nobody."""
        pointer, roles, now = told.get(role), self._champion.roles, clock.now()
        held = getattr(roles, role)
        if role == PREVIOUS and held is not None:
            return  # what was served here a moment ago is the better one to return to
        assert roles.champion is not None
        refused = self._champion.refused(role)
        served_bad = self._champion.refused(CHAMPION)
        if pointer is None or _is(roles.champion, pointer):
            self._champion.pardon(role)
            if held is not None:
                self._champion.assign(role, None)
        elif any(one is not None and one.stands(pointer, now) for one in (refused, served_bad)):
            return
        elif held is None or not _is(held, pointer):
            try:
                self._champion.assign(role, self._ready(role, pointer, role))
            except ForecastError as error:
                log.warning("the %s is not loaded: %s", role, error)

    def _ready(self, role: str, pointer: Pointer, alias: str) -> Served:
        """A version that can answer: one that is in memory already, or fetched, checked and tried."""
        assert self._alias is not None
        name = self._alias.name
        held = self._champion.roles.holder(pointer.digest)
        if held is not None and held.ref.version == pointer.version and held.ref.name == name:
            return Served(replace(held.ref, alias=alias), held.forecaster)
        try:
            ref = resolve(f"models:/{name}/{pointer.version}", self._settings)
            return opened(replace(ref, alias=alias), self._settings)
        except ModelFolderError as error:
            now = clock.now()
            self._champion.refuse(role, Refused(pointer, str(error), now, now + TRIED_AGAIN))
            self._telemetry.swap("refused")
            raise

    def _load(self, again: bool) -> None:
        """Reads what does not move: a folder, or a version by its number."""
        current = self._champion.roles.champion
        if current is not None and not again:
            return
        ref = resolve(self._settings.champion, self._settings)
        if current is None or current.ref.digest != ref.digest:
            self._champion.take(opened(ref, self._settings), "the settings name it")

    # ---- when things go wrong ------------------------------------------------------------------------------------

    def _note(self, error: ForecastError | None) -> None:
        if error is None:
            self._failures = 0
        else:
            self._failures += isinstance(error, RegistryError) or not self._champion.loaded
            if str(error) != str(self._error):
                log.error("%s: %s", "nothing new is served" if self._champion.loaded else "no model is served", error)
            if isinstance(error, RegistryError):
                self._telemetry.swap("unreachable")
            self._champion.missing(error)
        self._error = error

    def _stand_in(self, why: ForecastError) -> None:
        """Serves what was served last, else what the registry calls the previous version."""
        for ref in Remembered.read(self._settings.cache, self._settings.champion).served:
            if self._served_instead(ref, why):
                return
        pointer = self._told.get(PREVIOUS)
        if self._alias is None or pointer is None:
            return
        try:
            ref = resolve(f"models:/{self._alias.name}/{pointer.version}", self._settings)
            self._served_instead(replace(ref, alias=PREVIOUS), why)
        except ForecastError as error:
            log.warning("the previous version cannot stand in: %s", error)

    def _served_instead(self, ref: ModelRef, why: ForecastError) -> bool:
        try:
            served = opened(ref, self._settings)
        except ForecastError as error:
            log.warning("version %s cannot stand in: %s", ref.version, error)
            return False
        self._standing_in = str(why)
        self._champion.take(served, f"it stands in: {why}")
        return True

    # ---- told ----------------------------------------------------------------------------------------------------

    def _changed(self, roles: Roles, swap: Swap | None) -> None:
        """Counts a change and writes it down; called in the thread that makes it."""
        for role, one in roles:
            if one is None:
                self._telemetry.model(role)
            else:
                self._telemetry.model(role, one.ref.name, one.ref.version, one.forecaster.spec.name)
        if swap is not None and swap.before is not None:
            self._telemetry.swap(swap.outcome)
        if swap is not None and swap.outcome == "returned":
            # Told by whoever answers a request, which does not wait for a disk.
            threading.Thread(target=self._write, name="remember", daemon=True).start()

    def _write(self) -> None:
        """Writes down what is served and what is not, where that changed."""
        if self._given or not self._settings.champion.startswith("models:"):
            return
        with self._writing:
            roles, refused = self._champion.roles, self._champion.refusals()
            state = roles.champion, roles.previous, refused
            if roles.champion is not None and state != self._written:
                remember(self._settings.cache, self._settings.champion, roles, refused)
                self._written = state

    def _pause(self) -> float:
        """Seconds until the next look: jittered, so that services do not ask in step; longer while nobody answers."""
        usual = self._settings.follow_s
        if self._champion.loaded:
            wanted = usual * min(float(2 ** min(self._failures, 10)), LONGEST_PAUSE)
        else:
            wanted = min(usual, float(2 ** min(self._failures, 10)))
        return wanted * random.uniform(0.9, 1.1)


def _names_an_alias(uri: str) -> bool:
    return uri.startswith("models:") and "@" in uri


def _is(served: Served, pointer: Pointer) -> bool:
    return served.ref.version == pointer.version and pointer.digest in ("", served.ref.digest)


def _unforeseen(uri: str, error: Exception) -> ForecastError:
    return ModelFolderError(
        f"model {uri} could not be loaded ({type(error).__name__})", "a model that this version can read",
        "read the service's log, then start it again",
    )  # fmt: skip
