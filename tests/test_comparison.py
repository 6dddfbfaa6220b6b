"""Promotion: better beyond chance on moments that neither model learned from, and worse in nothing that matters."""

from __future__ import annotations

import json
import math

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from forecast.comparison import Guards, compare, rank, sheet_of, weigh
from forecast.comparison.pairs import pair
from forecast.errors import DataError
from forecast.metrics import score

DAYS = 40
HOUR = pd.Timedelta(hours=1)
FIRST = pd.Timestamp("2014-07-01", tz="UTC")
LEVELS = [round(0.1 * k, 1) for k in range(1, 10)]
NORMAL = np.array([-1.2816, -0.8416, -0.5244, -0.2533, 0.0, 0.2533, 0.5244, 0.8416, 1.2816])


def answers(
    model: str,
    sigma: float,
    seed: int,
    *,
    shift: float = 0.0,
    days: int = DAYS,
    series: str = "north",
    level: float = 100.0,
) -> pd.DataFrame:
    """Daily forecasts of 24 hours with normal errors of a known size and honest quantiles."""
    cutoff = FIRST + pd.to_timedelta(np.repeat(np.arange(days), 24), unit="D")
    ds = cutoff + pd.to_timedelta(np.tile(np.arange(24), days), unit="h")
    y = level + 10 * np.sin(np.arange(24 * days) / 24 * 2 * np.pi)
    centre = y + np.random.default_rng(seed).normal(0, sigma, 24 * days) + shift
    table = pd.DataFrame({"unique_id": series, "ds": ds, "cutoff": cutoff, "y": y, "model": model, "mean": centre})
    for quantile, place in zip(LEVELS, NORMAL, strict=True):
        table[f"q{quantile:g}"] = centre + sigma * place
    return table


@pytest.fixture(scope="module")
def champion() -> pd.DataFrame:
    return answers("champion", 5, seed=1)


def judge(challenger: pd.DataFrame, champion: pd.DataFrame, **options):
    return compare(pd.concat([challenger, champion]), challenger["model"].iloc[0], "champion", **options)


def test_a_clearly_better_challenger_is_promoted(champion: pd.DataFrame) -> None:
    verdict = judge(answers("lstm", 4, seed=2), champion, trained_until={"lstm": FIRST, "champion": None})
    assert verdict.promote
    assert verdict.dm_statistic > 2
    assert verdict.p_value < 0.01
    assert verdict.ci_low < verdict.gain_percent < verdict.ci_high
    assert verdict.gain_percent == pytest.approx(20, abs=5)
    assert verdict.origins == DAYS
    assert verdict.figures["lstm"]["mae"] < verdict.figures["champion"]["mae"]
    expected = 100 * (1 - verdict.figures["lstm"]["mae"] / verdict.figures["champion"]["mae"])
    assert verdict.gain_percent == pytest.approx(expected)
    assert len(verdict.reasons) == 1
    assert verdict.reasons[0].startswith("On 40 common origins lstm has a mean loss of")


def test_undeclared_training_spans_are_said(champion: pd.DataFrame) -> None:
    verdict = judge(answers("lstm", 4, seed=2), champion)
    assert verdict.promote
    assert "were not declared" in verdict.reasons[1]


def test_a_worse_challenger_is_refused_and_the_test_is_antisymmetric(champion: pd.DataFrame) -> None:
    lstm = answers("lstm", 4, seed=2)
    table = pd.concat([lstm, champion])
    better, worse = compare(table, "lstm", "champion"), compare(table, "champion", "lstm")
    assert not worse.promote
    assert worse.dm_statistic == pytest.approx(-better.dm_statistic)
    assert worse.p_value == pytest.approx(better.p_value)
    assert any("is not above 0 %" in reason for reason in worse.reasons)


def test_a_gain_within_chance_is_refused(champion: pd.DataFrame) -> None:
    verdict = judge(answers("lstm", 4.9, seed=4), champion)
    assert not verdict.promote
    assert verdict.gain_percent > 0
    assert any("may be chance" in reason for reason in verdict.reasons)


def test_identical_forecasts_make_no_difference(champion: pd.DataFrame) -> None:
    verdict = judge(champion.assign(model="twin"), champion)
    assert not verdict.promote
    assert math.isnan(verdict.dm_statistic)
    assert math.isnan(verdict.p_value)
    assert verdict.gain_percent == 0
    assert any("no difference" in reason for reason in verdict.reasons)
    told = json.loads(verdict.model_dump_json())
    assert told["dm_statistic"] is None


def test_a_challenger_that_is_always_better_by_the_same_amount_wins() -> None:
    table = answers("champion", 5, seed=1)
    quantiles = [f"q{level:g}" for level in LEVELS]

    def off_by(model: str, error: float) -> pd.DataFrame:
        sign = np.where(np.arange(len(table)) % 2, 1, -1)
        told = table.assign(model=model, mean=table["y"] + sign * error)
        spread = (NORMAL * 2)[None, :] + told["mean"].to_numpy()[:, None]
        told[quantiles] = spread
        return told

    verdict = judge(off_by("lstm", 1.0), off_by("champion", 3.0), guards=Guards(coverage_high=1.0))
    assert verdict.promote
    assert math.isnan(verdict.dm_statistic)
    assert verdict.p_value == 0
    assert verdict.gain_percent == pytest.approx(100 * 2 / 3)


@pytest.mark.parametrize("who", ["memory", "champion"])
def test_a_model_that_learned_the_answers_is_refused(champion: pd.DataFrame, who: str) -> None:
    memory = champion.assign(model="memory", mean=champion["y"])
    for level, place in zip(LEVELS, NORMAL, strict=True):
        memory[f"q{level:g}"] = memory["y"] + place * 1e-3
    until = {"memory": FIRST, "champion": FIRST, who: FIRST + pd.Timedelta(days=DAYS)}
    verdict = judge(memory, champion, trained_until=until)
    assert not verdict.promote
    assert verdict.memorised
    assert f"{who} learned from data up to 2014-08-10T00:00Z, after 40 of the scored cutoffs" in verdict.reasons[0]
    assert "2014-07-01T00:00Z, 2014-07-02T00:00Z" in verdict.reasons[0]
    assert verdict.figures == {}
    assert math.isnan(verdict.gain_percent)
    ranking = rank(pd.concat([memory, champion, answers("lstm", 4, seed=2)]), "champion",
                   trained_until={"lstm": FIRST, **until})  # fmt: skip
    assert (ranking.best, ranking.excluded) == (
        ("lstm", ("memory",)) if who == "memory" else (None, ("memory", "lstm"))
    )


def test_one_scored_cutoff_within_the_training_span_is_enough(champion: pd.DataFrame) -> None:
    until = {"lstm": FIRST + pd.Timedelta("1s"), "champion": FIRST}
    verdict = judge(answers("lstm", 4, seed=2), champion, trained_until=until)
    assert verdict.memorised
    assert "after 1 of the scored cutoffs (2014-07-01T00:00Z)" in verdict.reasons[0]
    later = judge(answers("lstm", 4, seed=2).query("cutoff > @FIRST"), champion, trained_until=until)
    assert later.promote
    assert later.dropped_origins == 1


def test_training_ends_must_be_given_for_both_and_be_aware(champion: pd.DataFrame) -> None:
    lstm = answers("lstm", 4, seed=2)
    with pytest.raises(DataError, match="training of 'champion' is not given"):
        judge(lstm, champion, trained_until={"lstm": FIRST})
    with pytest.raises(DataError, match="has no zone"):
        judge(lstm, champion, trained_until={"lstm": FIRST.tz_localize(None), "champion": None})


def test_unpaired_origins_are_dropped_and_counted(champion: pd.DataFrame) -> None:
    lstm = answers("lstm", 4, seed=2)
    part = lstm[lstm["cutoff"] >= FIRST + pd.Timedelta(days=2)]
    verdict = judge(part, champion[champion["cutoff"] < FIRST + pd.Timedelta(days=39)])
    assert verdict.promote
    assert (verdict.origins, verdict.dropped_origins) == (37, 3)
    assert "3 unpaired origins were dropped" in verdict.reasons[0]
    both = judge(
        part[part["cutoff"] < FIRST + pd.Timedelta(days=39)], champion[champion["cutoff"].isin(part["cutoff"])]
    )
    assert verdict.gain_percent == pytest.approx(both.gain_percent)


def test_a_challenger_that_leaves_out_the_hard_hours_is_refused(champion: pd.DataFrame) -> None:
    lstm = answers("lstm", 4, seed=2)
    lstm.loc[lstm["ds"].dt.hour < 4, ["mean", *[f"q{level:g}" for level in LEVELS]]] = np.nan
    verdict = judge(lstm, champion)
    assert not verdict.promote
    assert any("answered 83.3 % of the rows" in reason for reason in verdict.reasons)


def test_too_few_origins_decide_nothing(champion: pd.DataFrame) -> None:
    verdict = judge(answers("lstm", 1, seed=2, days=4), champion)
    assert not verdict.promote
    assert "too few origins: both models answered 4 (36 without a partner" in verdict.reasons[0]
    apart = judge(answers("lstm", 1, seed=2).assign(cutoff=lambda table: table["cutoff"] - HOUR), champion)
    assert (apart.promote, apart.origins, apart.dropped_origins) == (False, 0, 80)


def test_wrong_coverage_is_refused(champion: pd.DataFrame) -> None:
    lstm = answers("lstm", 4, seed=2)
    quantiles = [f"q{level:g}" for level in LEVELS]

    def stretched(by: float) -> pd.DataFrame:
        centre = lstm["q0.5"].to_numpy()[:, None]
        return lstm.assign(**dict(zip(quantiles, (centre + by * (lstm[quantiles].to_numpy() - centre)).T, strict=True)))

    for by in (0.3, 3.0):
        verdict = judge(stretched(by), champion)
        assert not verdict.promote
        assert any("outside 70 to 90 %" in reason for reason in verdict.reasons)
    narrow = judge(stretched(0.85), champion)
    assert 0.70 < narrow.figures["lstm"]["coverage_80"] < narrow.figures["champion"]["coverage_80"] - 0.05
    assert [reason for reason in narrow.reasons if reason.startswith("refused: coverage falls from")]
    assert not narrow.promote


def test_a_champion_that_covers_too_much_asks_for_no_more_than_its_promise(champion: pd.DataFrame) -> None:
    wide = champion.assign(**{"q0.1": champion["q0.1"] - 50, "q0.9": champion["q0.9"] + 50})
    verdict = judge(answers("lstm", 4, seed=2), wide)
    assert verdict.figures["champion"]["coverage_80"] == 1
    assert verdict.promote


def test_intervals_may_be_missing_only_where_the_champion_has_none(champion: pd.DataFrame) -> None:
    quantiles = [f"q{level:g}" for level in LEVELS]
    lstm = answers("lstm", 4, seed=2).assign(**dict.fromkeys(quantiles, np.nan))
    verdict = judge(lstm, champion)
    assert [reason for reason in verdict.reasons if reason.startswith("refused")] == [
        "refused: the challenger gives no 80 % interval, the champion does."
    ]
    assert judge(lstm, champion.assign(**dict.fromkeys(quantiles, np.nan))).promote


def test_a_bias_is_refused_unless_the_champions_is_larger(champion: pd.DataFrame) -> None:
    biased = answers("lstm", 2, seed=2, shift=0.0).assign(mean=lambda table: table["mean"] + 3)
    verdict = judge(biased, champion)
    assert not verdict.promote
    assert any("the bias is 2.9 % of mean demand" in reason for reason in verdict.reasons)
    worse = champion.assign(mean=champion["mean"] - 4)
    assert judge(biased, worse).promote


def test_worse_peaks_are_refused(champion: pd.DataFrame) -> None:
    lstm = answers("lstm", 3, seed=2)
    peak = lstm["y"] == lstm.groupby("cutoff")["y"].transform("max")
    quantiles = ["mean", *[f"q{level:g}" for level in LEVELS]]
    lstm.loc[peak, quantiles] = lstm.loc[peak, quantiles].add(15)
    verdict = judge(lstm, champion)
    assert verdict.gain_percent > 0
    assert not verdict.promote
    assert any("error at the days' peaks grows from" in reason for reason in verdict.reasons)


def test_scales_let_every_series_count_alike() -> None:
    def both(model: str, small: float, large: float, seed: int) -> pd.DataFrame:
        return pd.concat([
            answers(model, small, seed), answers(model, large, seed + 1, series="south", level=1e5),
        ])  # fmt: skip

    table = pd.concat([both("lstm", 2, 520, 10), both("champion", 5, 500, 20)])
    assert compare(table, "lstm", "champion").gain_percent < 0
    verdict = compare(table, "lstm", "champion", scales={"north": 5.0, "south": 500.0})
    assert verdict.gain_percent == pytest.approx(28, abs=5)
    assert verdict.origins == DAYS
    lone = compare(table, "lstm", "champion", scales={"north": 5.0, "south": float("nan")})
    assert lone.gain_percent == pytest.approx(60, abs=5)
    assert lone.dropped_origins == DAYS


def test_the_pinball_loss_can_decide(champion: pd.DataFrame) -> None:
    verdict = judge(answers("lstm", 4, seed=2), champion, loss="pinball")
    figures = verdict.figures
    expected = 100 * (1 - figures["lstm"]["pinball"] / figures["champion"]["pinball"])
    assert verdict.gain_percent == pytest.approx(expected)


def test_the_same_seed_gives_the_same_interval(champion: pd.DataFrame) -> None:
    lstm = answers("lstm", 4, seed=2)
    one, two, other = (judge(lstm, champion, seed=seed) for seed in (0, 0, 1))
    assert (one.ci_low, one.ci_high) == (two.ci_low, two.ci_high) != (other.ci_low, other.ci_high)


@pytest.mark.parametrize(
    ("table", "names", "text"),
    [
        (lambda lstm, champion: champion, ("lstm", "champion"), "holds no model lstm; expected some of champion"),
        (lambda lstm, champion: champion, ("champion", "champion"), "compared with itself"),
        (
            lambda lstm, champion: pd.concat([lstm.assign(y=lstm["y"] + 1), champion]),
            ("lstm", "champion"),
            "different demand",
        ),
        (lambda lstm, champion: pd.DataFrame({"a": [1]}), ("lstm", "champion"), "holds no model"),
    ],
)
def test_what_cannot_be_compared_is_refused(champion: pd.DataFrame, table, names: tuple[str, str], text: str) -> None:
    with pytest.raises(DataError, match=text):
        compare(table(answers("lstm", 4, seed=2), champion), *names)


def test_guards_are_frozen_and_refuse_contradictions() -> None:
    with pytest.raises(ValidationError, match=r"coverage_low 0\.95 is not below coverage_high 0\.9"):
        Guards(coverage_low=0.95)
    with pytest.raises(ValidationError):
        Guards(luck=1)  # type: ignore[call-arg]
    with pytest.raises(ValidationError):
        Guards().significance = 0.5  # type: ignore[misc]


def test_ranking_takes_the_lowest_loss_on_common_rows(champion: pd.DataFrame) -> None:
    table = pd.concat([champion, answers("gru", 4, seed=3), answers("lstm", 3, seed=2), answers("rnn", 7, seed=5)])
    ranking = rank(table, "champion")
    assert ranking.best == "lstm"
    assert list(ranking.losses) == ["lstm", "gru", "champion", "rnn"]
    assert {name for name, verdict in ranking.verdicts.items() if verdict.promote} == {"lstm", "gru"}
    assert ranking.verdict == ranking.verdicts["lstm"]
    assert list(rank(table, "champion", candidates=["rnn"]).losses) == ["champion", "rnn"]
    with pytest.raises(DataError, match="no candidate"):
        rank(champion, "champion")


def test_many_candidates_need_stronger_evidence(champion: pd.DataFrame) -> None:
    lucky = answers("lucky", 4.7, seed=21)
    alone = judge(lucky, champion)
    assert alone.promote
    assert 0.05 / 20 < alone.p_value < 0.05
    others = [answers(f"other {number}", 6, seed=100 + number) for number in range(19)]
    ranking = rank(pd.concat([champion, lucky, *others]), "champion")
    assert ranking.best == "lucky"
    assert ranking.verdict is not None
    assert not ranking.verdict.promote


def test_the_sums_of_a_sheet_are_the_figures_of_the_table(champion: pd.DataFrame) -> None:
    """The guards read sums by cutoff, a person reads `metrics.score`: both say the same, gaps and series included."""
    south = [answers(name, 9, seed, series="south", level=40) for name, seed in (("lstm", 5), ("champion", 6))]
    table = pd.concat([answers("lstm", 4, seed=2, shift=1), champion, *south], ignore_index=True)
    table.loc[table.index % 97 == 3, "y"] = np.nan
    table.loc[table.index % 17 == 5, "q0.1"] = np.nan
    zones = {"north": "Australia/Melbourne", "south": "Europe/Lisbon"}
    pairs = pair(table, ["lstm", "champion"], "absolute_error", None)
    sheet, figures = sheet_of(pairs, zones), score(pairs.table, zones=zones)
    for model in ("lstm", "champion"):
        mine = sheet.figures(model)
        for name in ("coverage_80", "winkler_80", "peak_mae"):
            assert mine[name] == pytest.approx(figures.loc[model, name], rel=1e-9), (model, name)
        rows = pairs.table[pairs.table["model"] == model]
        by = rows.assign(error=rows["mean"] - rows["y"], size=rows["y"].abs()).groupby("unique_id")[["error", "size"]]
        bias = (100 * by.mean()["error"].abs() / by.mean()["size"]).mean()
        assert mine["bias_percent"] == pytest.approx(bias, rel=1e-9)


def test_a_verdict_on_sums_is_the_verdict_on_the_table(champion: pd.DataFrame) -> None:
    table = pd.concat([answers("lstm", 4, seed=2), champion])
    whole = compare(table, "lstm", "champion")
    sheet = sheet_of(pair(table, ["lstm", "champion"], "absolute_error", None))
    assert weigh(sheet, "lstm", "champion") == whole.model_copy(update={"figures": {}})
    again = sheet.drawn(np.arange(len(sheet)))
    assert weigh(again, "lstm", "champion").reasons == whole.reasons
