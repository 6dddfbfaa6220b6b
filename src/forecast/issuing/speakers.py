"""`Speakers`: which versions are asked, as the registry tells it now."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from forecast.addresses import shown
from forecast.errors import ModelFolderError, RegistryError
from forecast.forecaster import Forecaster
from forecast.registry.folders import folder_digest, is_whole
from forecast.registry.reader import ModelRef, pointers, resolve
from forecast.registry.serving import load_for_serving
from forecast.settings import Settings

CHAMPION, PREVIOUS, CHALLENGER = "champion", "previous", "challenger"
REMEMBERED = "named.json"
"""In the cache: what the registry named last."""


@dataclass(frozen=True)
class Speakers:
    """The versions that are asked.

    Attributes:
        champion: None where none is to be had; then the rungs below the models speak.
        previous: asked where the champion fails.
        challenger: asked beside it, into the ledger's shadow.
        notes: why one that the registry names is not asked, one sentence each.
        away: whether the registry did not answer.
    """

    champion: ModelRef | None = None
    previous: ModelRef | None = None
    challenger: ModelRef | None = None
    notes: tuple[str, ...] = ()
    away: bool = False

    @property
    def named(self) -> dict[str, ModelRef]:
        """Those that are asked, by alias."""
        every = {CHAMPION: self.champion, PREVIOUS: self.previous, CHALLENGER: self.challenger}
        return {alias: ref for alias, ref in every.items() if ref is not None}

    @classmethod
    def find(cls, settings: Settings, model: str | None = None) -> Speakers:
        """The registered versions, fetched and checked; what cannot be had is left out and said.

        Args:
            settings: name the registry, and the model where it is a folder.
            model: ask this one only, "models:/NAME/3" or a folder.

        Raises:
            RegistryError, ModelFolderError: the model that is to be asked cannot be had.
        """
        if model is not None:
            return cls(resolve(model, settings))
        if settings.model is not None:
            try:
                return cls(resolve(settings.model, settings))
            except (RegistryError, ModelFolderError) as error:
                return cls(notes=(f"the champion cannot be had and is not asked: {error}",))
        try:
            named = pointers(settings.model_name, settings)
        except RegistryError as error:
            return _remembered(settings, str(error).rstrip("."))
        found: dict[str, ModelRef] = {}
        notes = (
            [] if CHAMPION in named else [f"no champion of '{settings.model_name}' is registered, no model is asked"]
        )
        for alias in (CHAMPION, PREVIOUS, CHALLENGER):
            if alias not in named or named[alias].version in [one.version for one in found.values()]:
                continue
            try:
                found[alias] = resolve(f"models:/{settings.model_name}@{alias}", settings)
            except (RegistryError, ModelFolderError) as error:
                notes.append(f"the {alias} cannot be had and is not asked: {error}")
        told = cls(found.get(CHAMPION), found.get(PREVIOUS), found.get(CHALLENGER), tuple(notes))
        _remember(told, settings)
        return told


def _remember(told: Speakers, settings: Settings) -> None:
    """Keeps what the registry named, for a time when it does not answer."""
    place = settings.cache / REMEMBERED
    said = {alias: {**asdict(ref), "folder": str(ref.folder)} for alias, ref in told.named.items()}
    text = json.dumps({"model": settings.model_name, "registry": shown(settings.mlflow_uri), "named": said})
    if place.is_file() and place.read_text(encoding="utf-8") == text:
        return
    fresh = place.with_name(f".{REMEMBERED}-{os.getpid()}")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(place)
    except OSError:
        fresh.unlink(missing_ok=True)


def _remembered(settings: Settings, why: str) -> Speakers:
    """The versions that this registry named last, as far as the cache holds them unchanged; else none."""
    named: dict[str, ModelRef] = {}
    try:
        told = json.loads((settings.cache / REMEMBERED).read_text(encoding="utf-8"))
        if (told["model"], told["registry"]) == (settings.model_name, shown(settings.mlflow_uri)):
            refs = {alias: ModelRef(**{**one, "folder": Path(one["folder"])}) for alias, one in told["named"].items()}
            named = {alias: ref for alias, ref in refs.items() if _whole(ref)}
    except (OSError, ValueError, KeyError, TypeError):
        named = {}
    what = "the versions that it named last are asked" if named else "no model is asked"
    note = f"the registry does not answer, {what}: {why}"
    return Speakers(named.get(CHAMPION), named.get(PREVIOUS), named.get(CHALLENGER), (note,), away=True)


def _whole(ref: ModelRef) -> bool:
    return is_whole(ref.folder) and folder_digest(ref.folder) == ref.digest


def loaded(ref: ModelRef, settings: Settings) -> Forecaster:
    """The forecaster of a version, once per process.

    Raises:
        ForecastError: it cannot be loaded; it is tried again at the next call.
    """
    key = ref, settings.cache, settings.threads
    if key not in _loaded:
        if len(_loaded) >= MOST_LOADED:
            _loaded.clear()
        _loaded[key] = load_for_serving(ref, settings)
    return _loaded[key]


MOST_LOADED = 4
_loaded: dict[tuple[ModelRef, Path, int], Forecaster] = {}
