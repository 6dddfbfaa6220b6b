"""What is kept of a table goes when the table goes, and is asked again as long as it stays."""

from __future__ import annotations

import asyncio
import gc
import weakref
from dataclasses import replace
from typing import Any

import pandas as pd

from forecast.forecaster import Forecaster
from forecast.settings import Settings
from serving.bodies import ForecastRequest
from serving.loader import Served
from serving.questions import Question
from serving.service import Service

CUTOFF = pd.Timestamp("2014-04-13T00:00Z")


def asked(ask: Any, forecaster: Forecaster, *, fleeting: bool = False) -> Question:
    request = ForecastRequest.model_validate(ask.body(CUTOFF))
    return replace(Question.of(request, forecaster.spec, most_rows=200_000), fleeting=fleeting)


def test_nothing_is_kept_of_a_table_that_is_gone(settings: Settings, forecaster: Forecaster, ask: Any) -> None:
    async def answers() -> list[weakref.ref[Any]]:
        service, served = Service.of(settings, Served.given(forecaster)), Served.given(forecaster)
        tables = []
        for _ in range(3):
            question = asked(ask, forecaster)
            tables.append(weakref.ref(question.demand))
            await service.ladder.answer(question, served)
            del question
        gc.collect()
        return [one for one in tables if one() is not None]

    assert asyncio.run(answers()) == []


def test_the_same_table_is_put_to_the_model_once(settings: Settings, forecaster: Forecaster, ask: Any) -> None:
    async def passes(*, fleeting: bool) -> tuple[float, bool]:
        service, served = Service.of(settings, Served.given(forecaster)), Served.given(forecaster)
        question = asked(ask, forecaster, fleeting=fleeting)
        first, again = [await service.ladder.answer(question, served) for _ in range(2)]
        count = service.telemetry.registry.get_sample_value("forecast_inference_seconds_count")
        same = [(one.quantiles_HQ == two.quantiles_HQ).all() for one, two in zip(first.told, again.told, strict=True)]
        return float(count or 0), all(same)

    assert asyncio.run(passes(fleeting=False)) == (1.0, True)
    assert asyncio.run(passes(fleeting=True)) == (2.0, True)
