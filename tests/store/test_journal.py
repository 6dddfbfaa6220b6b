"""What flows write down: runs, scores and alarms, in SQLite and in PostgreSQL alike."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from forecast import clock
from forecast.errors import StoreError
from forecast.store import Alarm, DayScore, Store
from forecast.store.engine import writing
from forecast.store.migrating import alembic_config, revision_of
from forecast.tables import SeriesInfo

NAMES = ("north", "south")
NOW = "2024-05-02T08:00Z"


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    with Store.open(store_url) as opened, clock.using(NOW):
        opened.describe(*(SeriesInfo(unique_id=name, step="1h") for name in NAMES))
        yield opened


def scored(name: str = "north", day: str = "2024-05-01", error: float = 1.0) -> DayScore:
    values = np.random.default_rng(2).random((23, 5), dtype=np.float32)
    values[3, 4] = np.nan
    return DayScore(
        name, day, "id", 1, 2, "lstm", None, "champion", "MW", 1714518000, 3600, 23, 22, 21, error, -0.5, np.nan, 0.8,
        50.0, 2.0, 1.5, values,
    )  # fmt: skip


def test_the_first_mark_of_a_run_stays(store: Store) -> None:
    assert store.done("issue", "2024-05-01") is None
    mark = store.mark_done("issue", "2024-05-01", {"series": 2, "said": "ñ"})
    with clock.using("2024-05-03T08:00Z"):
        assert store.mark_done("issue", "2024-05-01", {"series": 3}) == mark
        later = store.mark_done("issue", "2024-04-30")
    assert store.last_done("issue") == later
    assert store.last_done("retrain") is None
    assert store.done("issue", "2024-05-01") == mark
    assert (mark.at.isoformat(), mark.detail) == ("2024-05-02T08:00:00+00:00", {"series": 2, "said": "ñ"})
    assert store.done("score", "2024-05-01") is None


def test_the_keys_of_a_flow_are_told_from_first_to_last(store: Store) -> None:
    for day in ("2024-05-03", "2024-05-01", "2024-05-02"):
        store.mark_done("issue", day)
    store.mark_done("score", "2024-05-09")
    assert store.done_keys("issue") == ["2024-05-01", "2024-05-02", "2024-05-03"]
    assert store.done_keys("issue", "2024-05-02", "2024-05-02") == ["2024-05-02"]


def test_a_run_that_cannot_be_marked_says_why(store: Store) -> None:
    with pytest.raises(StoreError, match="both told"):
        store.mark_done("issue", "")
    with pytest.raises(StoreError, match="cannot be kept"):
        store.mark_done("issue", "2024-05-01", {"mae": float("nan")})
    assert store.done_keys("issue") == []


def test_a_score_comes_back_as_it_was(store: Store) -> None:
    assert store.keep_scores([scored(), scored("south")]) == 2
    (one,) = store.scores(["north"])
    told = scored()
    assert one.values_P5.tobytes() == told.values_P5.tobytes()
    assert np.isnan(one.mape)
    assert (one.unique_id, one.day, one.mae, one.skill, one.model_version) == ("north", "2024-05-01", 1.0, 0.25, None)
    assert one.ds_P[-1] == 1714518000 + 22 * 3600


def test_a_score_is_replaced_only_where_it_says_something_else(store: Store) -> None:
    store.keep_scores([scored(), scored("south")])
    with clock.using("2024-05-03T08:00Z"):
        assert store.keep_scores([scored(error=3.0), scored("south")]) == 1
        assert store.keep_scores([scored(error=3.0)]) == 0
    north, south = store.scores()
    assert (north.mae, south.mae) == (3.0, 1.0)
    assert north.at is not None
    assert south.at is not None
    assert north.at - south.at == 24 * 3600


def test_scores_are_told_from_day_to_day(store: Store) -> None:
    days = ["2024-05-03", "2024-04-30", "2024-05-01"]
    store.keep_scores([scored(day=day) for day in days])
    assert [one.day for one in store.scores(first="2024-05-01")] == ["2024-05-01", "2024-05-03"]
    assert [one.day for one in store.scores(["north"], last="2024-04-30")] == ["2024-04-30"]
    assert store.scores(["south"]) == []


def test_scores_of_unknown_series_and_shapes_are_refused(store: Store) -> None:
    with pytest.raises(StoreError, match="scores of east"):
        store.keep_scores([scored("east")])
    with pytest.raises(StoreError, match="shape"):
        store.keep_scores([replace(scored(), periods=24)])


def test_an_alarm_is_raised_once(store: Store) -> None:
    told = [Alarm("north", "level", "2024-05-01", {"shift": 0.3}), Alarm(None, "error", "2024-05-01")]
    first = store.raise_alarms(told)
    assert [one.unique_id for one in first] == ["north", None]
    again = [replace(told[0], detail={"shift": 0.4}), Alarm("south", "level", "2024-05-01")]
    assert store.raise_alarms(again) == store.alarms(series="south")
    assert len(store.alarms()) == 3
    assert store.alarms(series="north")[0].detail == {"shift": 0.3}
    assert not any("north" in one.id for one in store.alarms())


def test_what_answers_an_alarm_stays(store: Store) -> None:
    raised = store.raise_alarms([Alarm(name, "shape", "2024-05-01") for name in NAMES])
    ids = [one.id for one in raised]
    assert store.answer_alarms(ids[:1], "retrain-1") == 1
    assert store.answer_alarms(ids, "retrain-2") == 1
    assert [one.answered_by for one in store.alarms()] == ["retrain-1", "retrain-2"]
    assert store.alarms(unanswered=True) == []
    with pytest.raises(StoreError, match="without a name"):
        store.answer_alarms(ids, "")


def test_alarms_are_chosen_by_kind_and_day(store: Store) -> None:
    store.raise_alarms([Alarm("north", kind, f"2024-05-0{day}") for day, kind in enumerate(("level", "shape"), 1)])
    assert [one.kind for one in store.alarms(first="2024-05-02")] == ["shape"]
    assert [one.day for one in store.alarms(kind="level", last="2024-05-02")] == ["2024-05-01"]


def test_alarms_of_unknown_series_and_days_are_refused(store: Store) -> None:
    with pytest.raises(StoreError, match="an alarm of 'east'"):
        store.raise_alarms([Alarm("east", "level", "2024-05-01")])
    with pytest.raises(StoreError, match="no date"):
        store.raise_alarms([Alarm("north", "level", "yesterday")])


def test_an_older_store_is_brought_up_and_back(store: Store) -> None:
    from alembic import command

    config = alembic_config()
    with writing(store.engine) as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0002")
        assert revision_of(connection) == "0002"
    with Store.open(store.engine.url.render_as_string(hide_password=False)) as again:
        assert list(again.series()) == list(NAMES)
        again.mark_done("issue", "2024-05-01")
        assert again.done_keys("issue") == ["2024-05-01"]
