"""What is wanted beside forecasts: peak, energy, paths, the sum, scenarios and explanations."""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest
from starlette.testclient import TestClient

from forecast.calendars import delivery_day
from forecast.features import FeatureState
from forecast.forecaster import Forecaster
from forecast.paths import COUNT, between, places, places_together, sample_quantiles
from forecast.recipe import FeatureConfig, Recipe, RidgeModel, Task
from forecast.settings import Settings
from forecast.tables import Columns, Demand
from forecast.training import fit
from serving import create_app, drawing, extras
from serving.bodies import Options
from serving.drawing import Drawn
from serving.questions import Question
from serving.scenarios import shifted
from serving.sight import Sight
from serving.told import Answered, Told

TRAINED_UNTIL = pd.Timestamp("2014-04-10T00:00Z")
CUTOFF = pd.Timestamp("2014-04-13T00:00Z")
DECILES = tuple(level / 10 for level in range(1, 10))
ZONE = "Europe/Lisbon"
EVERYTHING = {
    "peak": True, "energy": True, "paths": COUNT, "sum": True, "explanation": True,
    "scenarios": [{"name": "warm", "shift": {"temperature": "+2"}}],
}  # fmt: skip


# ---- by hand ---------------------------------------------------------------------------------------------------------


def question(names: dict[str, np.ndarray], *, start: str = "2014-03-01T00:00Z", step: str = "1h", unit: str = "MW",
             day: str | None = None, cutoff: pd.Timestamp | None = None) -> Question:  # fmt: skip
    """A question after so many values of y."""
    parts = [
        pd.DataFrame({"unique_id": name, "ds": pd.date_range(start, periods=len(y), freq=step), "y": y})
        for name, y in names.items()
    ]
    demand = Demand.from_frame(pd.concat(parts), zone=ZONE, unit=unit, freq=step)
    moment = cutoff if cutoff is not None else demand.last_known_end()
    return Question(demand, moment, None, day, None, tuple(names), ())


def told(name: str, start: pd.Timestamp, hours: int, low: float, high: float, step: str = "1h") -> Told:
    """Uniform between two numbers in every period."""
    ds_H = pd.date_range(start, periods=hours, freq=step).tz_convert(None).to_numpy(dtype="datetime64[ns]")
    quantiles_Q = low + (high - low) * np.array(DECILES)
    return Told(name, ds_H, np.full(hours, (low + high) / 2), np.tile(quantiles_Q, (hours, 1)))


def drawn(asked: Question, *each: Told, wanted: tuple[float, ...] = DECILES, unit: str = "MW") -> Drawn:
    return Drawn.of(asked, Answered(each, DECILES, asked.cutoff, unit, None, ()), wanted, 0)


def two(y_a: np.ndarray, y_b: np.ndarray) -> Drawn:
    """Paths of two series that are forecast alike: uniform on 0 to 100."""
    asked = question({"a": y_a, "b": y_b})
    return drawn(asked, *(told(name, asked.cutoff, 24, 0, 100) for name in ("a", "b")))


@pytest.fixture(scope="module")
def noise() -> np.ndarray:
    """Two independent meters of 56 days."""
    return np.random.default_rng(3).normal(100, 10, (2, 56 * 24))


def test_the_sum_of_series_that_move_as_one_is_the_sum_of_their_quantiles(noise: np.ndarray) -> None:
    total = two(noise[0], 3 * noise[0] + 50).total(Options())
    np.testing.assert_allclose(total["quantiles"]["q0.1"], 20, atol=0.6)
    np.testing.assert_allclose(total["quantiles"]["q0.9"], 180, atol=0.6)
    np.testing.assert_array_equal(total["mean"], 100.0)


def test_the_sum_of_independent_series_is_narrower_than_added_quantiles(noise: np.ndarray) -> None:
    """The sum of two uniforms on 0 to 100 has the triangular distribution: P(sum < s) = s² / 20,000."""
    total = two(*noise).total(Options())
    np.testing.assert_allclose(np.mean(total["quantiles"]["q0.1"]), np.sqrt(0.1 * 20_000), atol=2.5)
    np.testing.assert_allclose(np.mean(total["quantiles"]["q0.9"]), 200 - np.sqrt(0.1 * 20_000), atol=2.5)
    np.testing.assert_allclose(np.mean(total["quantiles"]["q0.5"]), 100, atol=2.5)


def test_series_that_move_against_each_other_cancel(noise: np.ndarray) -> None:
    total = two(noise[0], 500 - noise[0]).total(Options())
    np.testing.assert_allclose(total["quantiles"]["q0.1"], 100, atol=1)
    np.testing.assert_allclose(total["quantiles"]["q0.9"], 100, atol=1)


def test_without_common_history_the_errors_are_taken_to_have_one_cause() -> None:
    paths = two(np.arange(24.0), np.arange(24.0) ** 2)
    np.testing.assert_allclose(paths.total(Options())["quantiles"]["q0.1"], 20, atol=0.6)
    assert paths.warnings == (
        "too little common history tells how the series move together: their errors are taken to have one cause",
    )


def test_the_correlation_between_series_is_that_of_their_surprises() -> None:
    draw = np.random.default_rng(5)
    shock_T = np.repeat(draw.normal(size=400), 24)
    week_T = np.tile(np.sin(np.arange(168)), 58)[: len(shock_T)] * 50
    own_NT = draw.normal(size=(2, len(shock_T)))
    y_NT = np.stack([week_T + shock_T, week_T + 0.6 * shock_T + 0.8 * own_NT[0], week_T + own_NT[1]])
    found = between(y_NT, 168, 24)
    assert found is not None
    assert found[0, 1] == pytest.approx(6 / np.pi * np.arcsin(0.6 / 2), abs=0.08), "not of the common week"
    assert abs(found[0, 2]) < 0.1
    slow_NT = 10 * np.sin(np.arange(len(shock_T)) / 24 / 10) + own_NT
    lasting = between(slow_NT, 168, 24)
    assert lasting is not None
    assert abs(lasting[0, 1]) < 0.1, "what lasts for days is no surprise, though both have it"
    holed = y_NT.copy()
    holed[1] = np.nan
    assert between(holed[:2], 168, 24) is None
    y_NT[2] = 7.0
    flat = between(y_NT, 168, 24)
    assert flat is not None
    assert flat[0, 2] == pytest.approx(flat[0, 1]), "a meter that never surprises tells nothing; the mean stands in"


def test_every_series_keeps_its_own_distribution_and_its_own_day() -> None:
    rank_DH = np.random.default_rng(0).uniform(0.01, 0.99, (60, 24)).astype(np.float32)
    steps = np.arange(24)
    both = places_together([rank_DH, rank_DH], steps, np.array([[1, 0.5], [0.5, 1]]), COUNT, 0)
    assert (np.sort(both, axis=1) == np.arange(COUNT)[None, :, None]).all()
    hourly = [np.corrcoef(both[0, :, step], both[1, :, step])[0, 1] for step in steps]
    assert np.mean(hourly) == pytest.approx(6 / np.pi * np.arcsin(0.25), abs=0.05)
    alone = places_together([rank_DH], steps, np.ones((1, 1)), COUNT, 0)
    np.testing.assert_array_equal(alone[0], places(rank_DH, steps, COUNT, 0))


def test_the_peaks_hour_is_counted_over_the_paths(noise: np.ndarray) -> None:
    asked = question({"a": noise[0]})
    one = told("a", asked.cutoff, 24, 0, 100)
    paths = drawn(asked, one)
    peak = paths.of_series(one, Options(peak=True))["peak"]
    highest_S = paths.paths["a"].argmax(1)
    chances = {entry["ds"]: entry["probability"] for entry in peak["hour"]}
    assert sum(chances.values()) == pytest.approx(1, abs=1e-12)
    assert chances == {one.ds_H[hour]: np.mean(highest_S == hour) for hour in np.unique(highest_S)}
    value_S = np.sort(paths.paths["a"].max(1))
    assert peak["value"]["q0.5"] == value_S[249], "the middle one of 499"
    assert peak["value"]["mean"] == pytest.approx(value_S.mean())
    assert peak["value"]["q0.1"] > 60, "the highest of 24 hours is higher than any one of them"


@pytest.mark.parametrize(("day", "hours"), [("2014-03-30", 23), ("2014-10-26", 25), ("2014-06-01", 24)])
def test_energy_of_days_of_23_and_25_hours(day: str, hours: int) -> None:
    """A load of 100 MW for certain: 2300, 2500 or 2400 MWh."""
    begin, end = delivery_day(day, ZONE)
    asked = question({"a": np.full(240, 5.0)}, start=f"{begin - pd.Timedelta(days=10):%Y-%m-%dT%H:%MZ}", day=day)
    one = told("a", begin, int((end - begin) / pd.Timedelta(hours=1)), 100, 100)
    figures = drawn(asked, one).of_series(one, Options(energy=True, peak=True))
    assert figures["energy"] == {
        "mean": 100.0 * hours, **{f"q{level:g}": pytest.approx(100.0 * hours) for level in DECILES}, "unit": "MWh",
        "day": day,
    }  # fmt: skip
    assert len(one.ds_H) == hours
    assert figures["peak"]["hour"] == [{"ds": one.ds_H[0], "probability": 1.0}], "of equal values the first counts"


def test_energy_per_half_hour_is_added_as_it_is() -> None:
    asked = question({"a": np.full(480, 5.0)}, step="30min", unit="kWh", day="2014-03-12")
    begin, _ = delivery_day("2014-03-12", ZONE)
    one = told("a", begin, 48, 10, 10, "30min")
    figures = drawn(asked, one, unit="kWh").of_series(one, Options(energy=True, peak=True))
    assert (figures["energy"]["mean"], figures["energy"]["unit"]) == (480.0, "kWh")
    assert [entry["ds"] for entry in figures["peak"]["hour"]] == [one.ds_H[0]]


def test_of_several_days_the_first_whole_one_counts() -> None:
    asked = question({"a": np.full(245, 5.0)})
    assert asked.cutoff == pd.Timestamp("2014-03-11T05:00Z")
    long, short = told("a", asked.cutoff, 48, 1, 1), told("a", asked.cutoff, 24, 1, 1)
    assert drawn(asked, long).of_series(long, Options(energy=True))["energy"]["day"] == "2014-03-12"
    part = drawn(asked, short).of_series(short, Options(energy=True))["energy"]
    assert (part["day"], part["mean"]) == (None, 24.0), "no day is whole: the span"


def test_a_scenario_changes_what_lies_ahead_and_nothing_before(demand: Demand) -> None:
    asked = Question(demand, CUTOFF, 24, None, None, ("east", "north", "west"), ())
    other = shifted(asked, {"temperature": "*2"})
    for one, moved in zip(demand.series, other.demand.series, strict=True):
        origin = int((CUTOFF - one.start) / demand.step)
        np.testing.assert_array_equal(moved.values_TC[:origin], one.values_TC[:origin])
        np.testing.assert_array_equal(moved.values_TC[:, :2], one.values_TC[:, :2])
        np.testing.assert_allclose(moved.values_TC[origin:, 2], 2 * one.values_TC[origin:, 2], rtol=1e-6)
    assert asked.demand is demand
    assert not other.demand.arena_RC.flags.writeable


def test_a_scenario_changes_every_issue_of_a_weather_forecast() -> None:
    hours = pd.date_range("2014-03-01T00:00Z", periods=48, freq="1h")
    rows = pd.DataFrame({"unique_id": "a", "ds": hours, "y": 1.0, "temperature": 10.0})
    later = rows.iloc[24:].assign(temperature=12.0, y=np.nan, available_at=pd.Timestamp("2014-03-01T20:00Z"))
    first = rows.assign(available_at=rows["ds"] + pd.Timedelta(hours=1)).iloc[:24]
    earlier = rows.iloc[24:].assign(y=np.nan, available_at=pd.Timestamp("2014-03-01T10:00Z"))
    frame = pd.concat([first, earlier, later]).sort_values(["ds", "available_at"], kind="stable")
    demand = Demand.from_frame(frame, columns=Columns(known=("temperature",)))
    assert "temperature" in demand.versions
    asked = Question(demand, pd.Timestamp("2014-03-02T00:00Z"), 24, None, None, ("a",), ())
    other = shifted(asked, {"temperature": "-3"}).demand
    for moment, known in (("2014-03-01T12:00Z", 10.0), ("2014-03-02T00:00Z", 12.0)):
        then = other.as_of(moment)
        np.testing.assert_array_equal(then.observed(then.series[0], "temperature")[24:], known - 3)
        assert (then.observed(then.series[0], "temperature")[:12] == 10).all()


# ---- through the service ---------------------------------------------------------------------------------------------


def test_all_of_them_at_once_and_twice_the_same(client: TestClient, ask: Any) -> None:
    plain, asked = ask.body(CUTOFF), ask.body(CUTOFF) | {"options": EVERYTHING}
    answer = ask.said(client, asked)
    assert answer == ask.said(client, asked), "the same question has the same paths"
    without = ask.said(client, plain)
    for one, bare in zip(answer["forecasts"], without["forecasts"], strict=True):
        assert {name: one[name] for name in bare} == bare
        assert set(one) - set(bare) == {"peak", "energy", "paths", "explanation"}
        paths_SH = np.array(one["paths"])
        assert paths_SH.shape == (COUNT, 24)
        for level in DECILES:
            own_H = sample_quantiles(paths_SH.T, [level])[:, 0]
            np.testing.assert_allclose(own_H, one["quantiles"][f"q{level:g}"], rtol=1e-12)
        assert one["peak"]["day"] is None, "no civil day of Melbourne is whole"
        assert one["peak"]["value"]["q0.5"] == np.sort(paths_SH.max(1))[249]
        hours = np.bincount(paths_SH.argmax(1), minlength=24) / COUNT
        said = {entry["ds"]: entry["probability"] for entry in one["peak"]["hour"]}
        assert said == {one["ds"][hour]: hours[hour] for hour in np.flatnonzero(hours)}
        assert one["energy"]["q0.9"] == pytest.approx(np.sort(paths_SH.sum(1))[449])
        assert one["energy"]["mean"] == pytest.approx(sum(one["mean"]))
    total_SH = np.sum([one["paths"] for one in answer["forecasts"]], axis=0)
    np.testing.assert_allclose(answer["sum"]["quantiles"]["q0.1"], np.sort(total_SH, axis=0)[49])
    np.testing.assert_allclose(answer["sum"]["mean"], np.sum([one["mean"] for one in answer["forecasts"]], axis=0))
    added_H = np.sum([one["quantiles"]["q0.9"] for one in answer["forecasts"]], axis=0)
    assert (np.array(answer["sum"]["quantiles"]["q0.9"]) < added_H).all(), "noise of the meters is independent"
    assert set(answer["sum"]) == {"ds", "mean", "quantiles", "peak", "energy"}
    assert set(without) == set(answer) - {"sum", "scenarios"}


def test_the_levels_wanted_do_not_change_what_is_read_off(client: TestClient, ask: Any) -> None:
    options = {"peak": True, "energy": True, "sum": True}
    whole = ask.said(client, ask.body(CUTOFF) | {"options": options})
    one = ask.said(client, ask.body(CUTOFF) | {"options": options, "quantiles": [0.9]})
    assert one["quantiles"] == [0.9]
    for many, few in zip([*whole["forecasts"], whole["sum"]], [*one["forecasts"], one["sum"]], strict=True):
        assert few["quantiles"] == {"q0.9": many["quantiles"]["q0.9"]}
        assert few["mean"] == many["mean"]
        assert few["peak"]["value"] == {name: many["peak"]["value"][name] for name in ("mean", "q0.9")}
        assert few["energy"] == {name: many["energy"][name] for name in ("mean", "q0.9", "unit", "day")}


def test_a_warmer_day_is_what_a_request_with_warmer_weather_says(client: TestClient, ask: Any) -> None:
    asked = ask.body(CUTOFF)
    for one in asked["series"]:
        one["future"]["temperature"] = [round(4 * value) / 4 for value in one["future"]["temperature"]]
    warm, hot = copy.deepcopy(asked), copy.deepcopy(asked)
    for one, other in zip(warm["series"], hot["series"], strict=True):
        one["future"]["temperature"] = [value + 2 for value in one["future"]["temperature"]]
        other["future"]["temperature"] = [40.0] * len(other["future"]["temperature"])
    scenarios = [{"name": "warm", "shift": {"temperature": "+2"}}, {"name": "hot", "shift": {"temperature": 40}}]
    answer = ask.said(client, asked | {"options": {"scenarios": scenarios}})
    assert [one["name"] for one in answer["scenarios"]] == ["warm", "hot"]
    for told_then, other in zip(answer["scenarios"], (warm, hot), strict=True):
        wanted = ask.said(client, other)["forecasts"]
        for ours, theirs in zip(told_then["forecasts"], wanted, strict=True):
            assert ours["ds"] == theirs["ds"]
            np.testing.assert_allclose(ours["quantiles"]["q0.5"], theirs["quantiles"]["q0.5"], rtol=1e-5)
            np.testing.assert_allclose(ours["mean"], theirs["mean"], rtol=1e-5)
    assert answer["scenarios"][1]["forecasts"][0]["mean"] != answer["forecasts"][0]["mean"]


def test_scenarios_go_through_the_model_in_one_pass(client: TestClient, ask: Any) -> None:
    passes: list[int] = []
    telemetry = client.app.state.service.engine._telemetry
    before, telemetry.inference = telemetry.inference, lambda _seconds, batch: passes.append(batch)
    try:
        scenarios = [{"name": f"{step}", "shift": {"temperature": f"+{step}"}} for step in range(5)]
        ask.post(client, ask.body(CUTOFF) | {"options": {"scenarios": scenarios}})
    finally:
        telemetry.inference = before
    assert passes == [1, 5]


def test_an_explanation_stands_inside_its_forecast(client: TestClient, ask: Any) -> None:
    body = ask.body(CUTOFF, only="north", zones={"north": "Australia/Melbourne"})
    del body["horizon"]
    asked = body | {"delivery_day": "2014-04-14", "options": {"explanation": True}}
    (one,) = ask.said(client, asked)["forecasts"]
    why = one["explanation"]
    assert len(why["ds"]) == len(one["ds"]) == 24
    np.testing.assert_allclose(why["forecast"], one["quantiles"]["q0.5"], rtol=1e-5)
    parts = [why["attribution"]["baseline"], *why["attribution"]["groups"].values()]
    np.testing.assert_allclose(np.sum(parts, axis=0), why["forecast"], rtol=1e-6)
    assert pd.DatetimeIndex(why["ds"]).equals(pd.DatetimeIndex(one["ds"]))
    assert len(why["similar"]["days"][0]["outcome"]) == 24
    assert why["quantiles"] == one["quantiles"]


def test_an_explanation_tells_the_bands_that_are_told(client: TestClient, ask: Any) -> None:
    """Wider ones where much is missing, and the levels that were asked for, also where paths need them all."""
    body = ask.body(CUTOFF, only="north")
    whole = ask.said(client, body)["forecasts"][0]
    history = body["series"][0]["history"]
    history["y"] = [*history["y"][:-30], *[None] * 30]
    for more in ({}, {"peak": True}):
        asked = body | {"quantiles": [0.1, 0.5, 0.9], "options": {"explanation": True, **more}}
        (one,) = ask.said(client, asked)["forecasts"]
        assert one["reason"] is not None
        assert one["explanation"]["quantiles"] == one["quantiles"]
        widths = [np.subtract(told["quantiles"]["q0.9"], told["quantiles"]["q0.1"]).mean() for told in (one, whole)]
        assert widths[0] > 1.2 * widths[1]


@pytest.mark.parametrize(
    ("options", "column"),
    [
        ({"peek": True}, "options.peek"),
        ({"paths": 0}, "options.paths"),
        ({"paths": 501}, "options.paths"),
        ({"peak": "yes"}, "options.peak"),
        ({"scenarios": [{"name": "a", "shift": {"temperature": "2"}}]}, "options.scenarios.shift.temperature"),
        ({"scenarios": [{"name": "a", "shift": {"humidity": "+2"}}]}, "options.scenarios"),
        ({"scenarios": [{"name": "a", "shift": {"y": "+2"}}]}, "options.scenarios"),
        ({"scenarios": [{"name": "a", "shift": {}}]}, "options.scenarios.shift"),
        ({"scenarios": [{"name": "a", "shift": {"temperature": 1}}] * 2}, "options"),
        ([], "options"),
    ],
)
def test_options_that_cannot_be_are_refused(client: TestClient, ask: Any, options: Any, column: str) -> None:
    problem = ask.refused(client, ask.body(CUTOFF) | {"options": options})
    assert problem["column"].startswith(column)


def test_tables_have_no_place_for_options(client: TestClient, ask: Any) -> None:
    asked = ask.body(CUTOFF) | {"options": {"peak": True}}
    answer = client.post("/v1/forecasts", json=asked, headers={"accept": "text/csv"})
    assert (answer.status_code, answer.json()["column"]) == (422, "options")


@pytest.fixture(scope="module")
def ridge(settings: Settings, frame: pd.DataFrame) -> Iterator[TestClient]:
    """A service whose model needs history."""
    table = Demand.from_frame(frame.drop(columns=["humidity", "size"]), columns=Columns(known=("temperature",)))
    recipe = Recipe(name="ridge", model=RidgeModel(), context="2d", features=FeatureConfig(reach_days=9))
    fitted = fit(table.as_of(TRAINED_UNTIL), recipe, Task(horizon=24)).forecaster
    with TestClient(create_app(settings, fitted)) as one:
        yield one


def test_what_a_fallback_cannot_give_is_null_with_a_warning(ridge: TestClient, ask: Any) -> None:
    """Nothing of the last three weeks is known of the west: the model is not asked about it."""
    asked = ask.body(CUTOFF) | {"options": EVERYTHING | {"paths": 3}}
    west = asked["series"][2]["history"]
    west["y"][-21 * 24 :] = [None] * (21 * 24)
    answer = ask.post(ridge, asked)
    rungs = {one["unique_id"]: one["rung"] for one in answer["forecasts"]}
    assert rungs["east"] == rungs["north"] == "champion"
    assert rungs["west"] not in ("champion", "previous")
    assert answer["forecasts"][0]["explanation"] is not None
    assert answer["forecasts"][2]["explanation"] is None
    assert len(answer["forecasts"][2]["paths"]) == 3, "any distribution has paths"
    assert [one["unique_id"] for one in answer["scenarios"][0]["forecasts"]] == ["east", "north"]
    assert f"series 'west': no explanation of what '{rungs['west']}' says" in answer["warnings"]
    assert "scenarios leave out series 'west', which the model did not answer" in answer["warnings"]
    assert answer["sum"] is not None


def test_a_scenario_of_what_is_not_known_says_so(ridge: TestClient, ask: Any) -> None:
    asked = ask.body(CUTOFF) | {"options": {"scenarios": EVERYTHING["scenarios"]}}
    for one in asked["series"]:
        del one["future"]
    answer = ask.post(ridge, asked)
    assert "scenario 'warm': nothing is known ahead of column 'temperature'" in answer["warnings"]
    assert answer["scenarios"][0]["forecasts"] is not None


def test_a_scenario_beyond_what_was_learned_says_so(
    ridge: TestClient, ask: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    doubted = Sight.unbelievable

    def doubting(sight: Sight, *args: Any) -> set[str]:
        boils = np.nanmax(sight.question.demand.arena_RC[:, 1]) > 1000
        return {"east"} if boils else doubted(sight, *args)

    monkeypatch.setattr(Sight, "unbelievable", doubting)
    shifts: dict[str, str | float] = {"warm": "+1", "hotter": "+25", "one": 55.0, "boiling": "*1000"}
    scenarios = [{"name": name, "shift": {"temperature": change}} for name, change in shifts.items()]
    answer = ask.post(ridge, ask.body(CUTOFF) | {"options": {"scenarios": scenarios}})
    said = {name: [text for text in answer["warnings"] if f"scenario '{name}'" in text] for name in shifts}
    assert said["warm"] == []
    (hotter,) = said["hotter"]
    assert "column 'temperature' would be" in hotter
    assert hotter.endswith("beyond that its answer is a guess")
    assert "would be 55, and the model has learned from" in said["one"][0]
    assert len(said["boiling"]) == 2
    assert "is left out: what the model says of series 'east' then lies far" in said["boiling"][1]
    assert [one["forecasts"] is not None for one in answer["scenarios"]] == [True, True, True, False]


def test_what_a_model_has_seen_of_a_covariate() -> None:
    state = FeatureState(knots={"a": (3.0, 9.0), "b": (1.0, 2.0)}, binary=("c",), seen={"a": (0.0, 10.0)})
    assert [state.seen_of(name) for name in "abcd"] == [(0.0, 10.0), (1.0, 2.0), (0.0, 1.0), None]


def test_series_of_other_periods_have_no_sum(client: TestClient, ask: Any) -> None:
    body = ask.body(CUTOFF, zones={"north": "Europe/Lisbon"})
    del body["horizon"]
    answer = ask.post(client, body | {"delivery_day": "2014-04-14", "options": {"sum": True, "energy": True}})
    assert answer["sum"] is None
    assert any(text.startswith("no sum: series of different periods") for text in answer["warnings"])
    assert all(one["energy"]["mean"] > 0 for one in answer["forecasts"])


def test_many_series_are_not_explained(client: TestClient, ask: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "MOST_EXPLAINED", 2)
    answer = ask.post(client, ask.body(CUTOFF) | {"options": {"explanation": True}})
    assert {one["explanation"] for one in answer["forecasts"]} == {None}
    assert "no explanations: 3 series, and at most 2 are explained at once" in answer["warnings"]


def test_too_many_numbers_are_not_sent(client: TestClient, ask: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = ask.body(CUTOFF) | {"options": {"paths": 5, "energy": True}}
    monkeypatch.setattr(drawing, "MOST_SAID", 100)
    answer = ask.post(client, asked)
    assert answer["forecasts"][0]["paths"] is None
    assert answer["forecasts"][0]["energy"]["mean"] > 0
    assert "no paths: 360 numbers, and at most 100 are sent; ask for fewer" in answer["warnings"]
    monkeypatch.setattr(drawing, "MOST_CELLS", 1000)
    answer = ask.post(client, asked)
    assert answer["forecasts"][0]["energy"] is None
    assert any(text.startswith("no energy, paths: 3 series, 24 steps and 499 paths") for text in answer["warnings"])


def test_a_defect_costs_the_option_and_not_the_answer(
    client: TestClient, ask: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_args: object, **_more: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(drawing, "along", broken)
    answer = ask.post(client, ask.body(CUTOFF) | {"options": {"peak": True, "sum": True}})
    assert (answer["forecasts"][0]["peak"], answer["sum"], answer["rung"]) == (None, None, "champion")
    assert "no peak, sum: it fails (ZeroDivisionError)" in answer["warnings"]


@pytest.fixture(scope="module")
def hasty(settings: Settings, plain: Forecaster) -> Iterator[TestClient]:
    """A service that has half a second."""
    with TestClient(create_app(settings.model_copy(update={"deadline_s": 0.5}), plain)) as one:
        yield one


def test_when_time_is_short_the_answer_comes_without(hasty: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = drawing.along
    monkeypatch.setattr(drawing, "along", lambda *args: [time.sleep(1.0), slow(*args)][1])
    history = {"start": "2014-05-01T00:00+10:00", "step": "PT30M", "y": [float(n % 48) for n in range(960)]}
    asked = {"series": [{"unique_id": "town", "history": history}], "options": {"peak": True, "explanation": True}}
    begun = time.monotonic()
    answer = hasty.post("/v1/forecasts", json=asked).json()
    assert time.monotonic() - begun < 0.9
    assert answer["forecasts"][0]["peak"] is None
    assert "no peak: the time was short" in answer["warnings"]
    assert answer["forecasts"][0]["mean"]


def test_without_a_model_paths_are_still_drawn(settings: Settings) -> None:
    with TestClient(create_app(settings)) as empty:
        history = {"start": "2014-05-01T00:00+10:00", "step": "PT1H", "y": [5.0 + n % 24 for n in range(480)]}
        asked = {"series": [{"unique_id": "town", "history": history}], "quantiles": [0.25], "options": EVERYTHING}
        answer = empty.post("/v1/forecasts", json=asked).json()
    (one,) = answer["forecasts"]
    assert list(one["quantiles"]) == ["q0.25"]
    assert one["peak"]["value"]["q0.25"] >= max(one["quantiles"]["q0.25"])
    assert (one["explanation"], answer["scenarios"]) == (None, [{"name": "warm", "forecasts": None}])
