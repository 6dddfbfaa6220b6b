"""Which forecaster answers: the champion, loaded once when the service starts."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from forecast.errors import ForecastError, ModelFolderError, RegistryError
from forecast.forecaster import Forecaster
from forecast.registry.reader import ModelRef, resolve
from forecast.settings import Settings

log = logging.getLogger("serving")


@dataclass(frozen=True, eq=False)
class Served:
    """A forecaster in use, and where it came from."""

    ref: ModelRef
    forecaster: Forecaster

    @classmethod
    def given(cls, forecaster: Forecaster) -> Served:
        """A forecaster that was handed over and not looked up."""
        return cls(ModelRef(forecaster.spec.name, None, None, None, Path(), ""), forecaster)


class Champion:
    """What is served now, or why nothing is. One reference: an answer never mixes two versions."""

    def __init__(self, served: Served | None = None) -> None:
        self._served = served
        self._why: ForecastError = RegistryError(
            "no model was loaded yet", "a registered champion", "wait, then ask again"
        )

    @property
    def loaded(self) -> bool:
        """Whether forecasts can be answered."""
        return self._served is not None

    def now(self) -> Served:
        """What is served.

        Raises:
            RegistryError, ModelFolderError: nothing is; the sentence says why and what to do.
        """
        if self._served is None:
            why = self._why
            raise type(why)(why.found, why.expected, why.do, series=why.series, column=why.column, stamps=why.stamps)
        return self._served

    def load(self, settings: Settings) -> None:
        """Finds and reads the model of the settings; a failure is kept for those who ask, the process goes on."""
        try:
            ref = resolve(settings.champion, settings)
            self._served = Served(ref, Forecaster.load(ref.folder))
        except ForecastError as error:
            self._why = error
            log.error("no model is served: %s", error)
        except Exception as error:
            log.exception("model %s could not be loaded", settings.champion)
            self._why = ModelFolderError(
                f"model {settings.champion} could not be loaded ({type(error).__name__})",
                "a model that this version can read", "read the service's log, then start it again",
            )  # fmt: skip
        else:
            log.info("serving %s version %s (%s)", ref.name, ref.version or "-", self._served.forecaster.spec.name)
