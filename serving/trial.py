"""A version is tried before anybody's request meets it: loaded, checked, and made to answer its own examples."""

from __future__ import annotations

import logging

import numpy as np
import orjson

from forecast.errors import ForecastError, ModelFolderError
from forecast.forecaster import Forecaster
from forecast.registry.folders import folder_digest
from forecast.registry.reader import ModelRef
from forecast.registry.serving import load_for_serving
from forecast.settings import Settings
from serving.engine import answered
from serving.examples import examples
from serving.parsing import parse
from serving.questions import Question
from serving.served import Served

log = logging.getLogger("serving")


def opened(ref: ModelRef, settings: Settings) -> Served:
    """A version that is ready to answer: read, its digest as registered, warm, its numbers finite.

    Args:
        ref: from `resolve`.
        settings: of this process.

    Raises:
        ModelFolderError: it cannot be read, is another one than was registered, or fails on its own examples.
    """
    try:
        if ref.digest and folder_digest(ref.folder) != ref.digest:
            raise ModelFolderError(f"{ref.folder} is another folder than was served", "the one that was fetched")
        # Its networks answer as their training runtime does, to 1e-5, or this refuses.
        forecaster = load_for_serving(ref, settings)
    except OSError as error:
        raise ModelFolderError(f"{ref.folder} cannot be read ({error.strerror})", "a folder that is there") from error
    except ForecastError:
        raise
    except Exception as error:
        log.exception("%s could not be loaded", ref.folder)
        raise _failed(ref, f"could not be loaded ({type(error).__name__})") from error
    try_out(forecaster, ref, settings)
    return Served(ref, forecaster)


def try_out(forecaster: Forecaster, ref: ModelRef, settings: Settings) -> None:
    """Lets a forecaster answer its own examples, so that no caller waits for what is loaded on first use.

    Raises:
        ModelFolderError: it answers none of them: it breaks, say, or its numbers are not finite.
    """
    put, refusals = 0, []
    for name, example in examples(forecaster.spec).items():
        question = _question(orjson.dumps(example["value"]), forecaster, settings)
        if question is None:
            continue
        put += 1
        why = _wrong(forecaster, question)
        if why is not None:
            log.warning("%s does not answer the example '%s': %s", ref.name, name, why)
            refusals.append(why)
    if put and len(refusals) == put:
        raise _failed(ref, f"answers none of its examples ({refusals[-1]})")


def _wrong(forecaster: Forecaster, question: Question) -> str | None:
    """What is wrong with the answer to an example."""
    (said,) = answered(forecaster, [question])
    if isinstance(said, ForecastError):
        return said.found
    if isinstance(said, Exception):
        log.error("the model breaks", exc_info=said)
        return f"it breaks with {type(said).__name__}"
    numbers = [values for one in said[0] for values in (one.mean_H, one.quantiles_HQ)]
    return None if all(np.isfinite(values).all() for values in numbers) else "numbers that are not finite"


def _question(raw: bytes, forecaster: Forecaster, settings: Settings) -> Question | None:
    """An example as a question; None where the made-up history is none that the model can be asked about."""
    try:
        return Question.of(parse(raw, most_series=settings.max_series), forecaster.spec, most_rows=settings.max_rows)
    except ForecastError as error:
        log.warning("an example of %s is no question: %s", forecaster.spec.name, error)
        return None


def _failed(ref: ModelRef, what: str) -> ModelFolderError:
    whole = f"version {ref.version} of model '{ref.name}'" if ref.version else f"model {ref.name}"
    return ModelFolderError(
        f"{whole} {what}",
        "a model that this version of the service can serve",
        "read the log, then train again",
    )
