"""What an experiment in MLflow is for: its name, what stands on top of it, and the views that a person opens there."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from forecast.settings import Settings

Purpose = Literal["retraining", "backtest", "search", "promotion", "monitoring"]
PURPOSES: tuple[Purpose, ...] = get_args(Purpose)
COMPARE_VIEW = "compare"
"""The view that every experiment has; that of retrainings shows the newest one's recipes."""
VIEW_TAG = "mlflow.sharedViewState."
# Otherwise the UI wraps every page in menus for language models.
CLASSIC = "workflowType=machine_learning"
_FIGURES = """
- `mae` and its neighbours are measured by walking forward over days that no recipe was trained on; `skill_vs_naive` is
  the share of the seasonal naive's error that is gone.
- `weather: actual (optimistic)` means that measured weather stood in for a forecast of it.
"""
NOTES: Mapping[Purpose, str] = {
    "retraining": "Each parent run is one retraining on one table of demand; its children are the recipes tried.\n"
    + _FIGURES
    + "- The champion that the service loads is the version of the registered model with the alias `champion`.\n",
    "backtest": "Each parent run is one walk forward for judging only: nothing was registered, no alias moved.\n"
    + _FIGURES,
    "search": """Each parent run is one search for a recipe; its children are the trials.

`score` chose the recipe, so it is no test figure: judge what was found in a retraining, or with `--nested`.
""",
    "promotion": """Each run is one decision on who is champion: a challenger judged against the champion, or a
return to the version before.

- Both models answer the same days, and neither has learned from any of them.
- `gain_percent` is how much lower the challenger's mean loss is; `ci_low` and `ci_high` are its interval of 95 %.
- `decision.json` of a run holds everything that was weighed.
""",
    "monitoring": """Each run is one delivery day: how the forecasts that were given out turned out.

`skill_vs_naive` is the share of the seasonal naive's error that is gone. An alarm is told in the run's description.
""",
}


@dataclass(frozen=True)
class View:
    """A table of runs that a person opens by name.

    Attributes:
        key: in its address.
        name: as the menu "Views" lists it.
        where: which runs, as MLflow's search takes it.
        metrics, tags, params: the columns, in this order: tags first.
        order: the metric that the runs are ordered by; the newest first where None.
        falling: the largest first.
        bars: metrics that are drawn as bars beside the table.
    """

    key: str
    name: str
    where: str
    metrics: tuple[str, ...]
    tags: tuple[str, ...] = ()
    params: tuple[str, ...] = ()
    order: str | None = None
    falling: bool = False
    bars: tuple[str, ...] = ()

    @property
    def tag(self) -> str:
        """The tag of the experiment that holds it."""
        return f"{VIEW_TAG}{self.key}"

    def told(self, at_ms: int) -> str:
        """The view as MLflow's UI writes it, made at a moment [ms since 1970]."""
        said = {"name": self.name, "createdAt": at_ms, "updatedAt": at_ms, "state": json.dumps(self._state())}
        return json.dumps(said)

    def _state(self) -> dict[str, object]:
        columns = [
            *(f"tags.`{name}`" for name in self.tags), *(f"params.`{name}`" for name in self.params),
            *(f"metrics.`{name}`" for name in self.metrics),
        ]  # fmt: skip
        order = {"orderByKey": f"metrics.`{self.order}`", "orderByAsc": not self.falling} if self.order else {}
        charts = {"compareRunCharts": list(self._charts()), "compareRunSections": [_SECTION]} if self.bars else {}
        return {
            "searchFilter": self.where, **order, "lifecycleFilter": "Active", "selectedColumns": columns,
            "columnOrder": columns, **charts,
        }  # fmt: skip

    def _charts(self) -> Iterator[dict[str, object]]:
        for name in self.bars:
            yield {
                "deleted": False, "type": "BAR", "uuid": f"bar-{name}", "metricSectionId": _SECTION["uuid"],
                "isGenerated": False, "metricKey": name,
            }  # fmt: skip


_SECTION = {"uuid": "figures", "name": "Figures", "display": True, "isReordered": False}
# What a person compares: how good, how honest, how expensive; then what it is.
_COMPARED = ("mae", "skill_vs_naive", "rmse", "mape", "bias", "coverage_80", "training_seconds")


def recipes_of(parent: str) -> View:
    """The recipes of one retraining or walk side by side, best first."""
    return View(
        COMPARE_VIEW, "Recipes of the newest run, best first", f"tags.`mlflow.parentRunId` = '{parent}'", _COMPARED,
        ("weather", "verdict"), order="mae", bars=("mae", "coverage_80", "bias"),
    )  # fmt: skip


def views_of(purpose: Purpose) -> Sequence[View]:
    """The views of an experiment that stay as they are."""
    return _VIEWS[purpose]


_VIEWS: Mapping[Purpose, Sequence[View]] = {
    "retraining": [
        View(
            "retrainings", "Retrainings, newest first", "tags.`kind` = 'retraining'",
            ("mae", "skill_vs_naive", "coverage_80", "bias"), ("data", "winner", "verdict", "version", "weather"),
            bars=("mae", "skill_vs_naive"),
        )
    ],
    "backtest": [
        View(
            "walks", "Walks, newest first", "tags.`kind` = 'retraining'", ("mae", "skill_vs_naive", "coverage_80"),
            ("data", "winner", "weather"),
        )
    ],
    "search": [
        View(
            COMPARE_VIEW, "Trials of all searches, best first", "tags.`kind` = 'trial' AND tags.`state` = 'complete'",
            ("score",), ("tried",), order="score", bars=("score",),
        )
    ],
    "promotion": [
        View(
            COMPARE_VIEW, "Decisions, newest first", "tags.`kind` = 'decision'",
            ("gain_percent", "ci_low", "ci_high", "p_value", "days"), ("outcome", "at", "challenger", "champion", "by"),
            bars=("gain_percent", "p_value"),
        )
    ],
    "monitoring": [
        View(
            COMPARE_VIEW, "Delivery days, newest first", "tags.`kind` = 'day'",
            ("mae", "skill_vs_naive", "coverage_80", "bias", "alarms"), ("day", "verdict"),
            bars=("skill_vs_naive", "coverage_80"),
        )
    ],
}  # fmt: skip


def experiment_of(settings: Settings, purpose: Purpose) -> str:
    """The name of the experiment: retrainings stand in that of the settings, the others beside it.

    >>> experiment_of(Settings(experiment="grid"), "promotion")
    'grid-promotion'
    """
    return settings.experiment if purpose == "retraining" else f"{settings.experiment}-{purpose}"


def page_of(experiment: str, view: str = COMPARE_VIEW) -> str:
    """The UI's page of a view, relative to the UI's address."""
    return f"#/experiments/{experiment}/runs?{CLASSIC}&viewStateShareKey={view}"
