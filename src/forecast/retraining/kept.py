"""What a retraining's steps leave for each other: forecasters with their reports, one folder per fold."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd

from forecast.forecaster import Forecaster
from forecast.training import Fitted, TrainingReport

WALK, REPORT, JUDGEMENT = "walk.parquet", "report.json", "judgement.json"


def save_fitted(fitted: Fitted, folder: Path) -> None:
    """A forecaster's folder with how it was trained beside it."""
    fitted.forecaster.save(folder)
    (folder / REPORT).write_text(json.dumps(vars(fitted.report)), encoding="utf-8")


def load_fitted(folder: Path) -> Fitted:
    """What `save_fitted` wrote."""
    report = TrainingReport(**json.loads((folder / REPORT).read_text(encoding="utf-8")))
    return Fitted(Forecaster.load(folder), report)


def folds_of(folder: Path) -> list[Path]:
    """A recipe's model folders, fold after fold."""
    return sorted(folder.glob("fold-*"))


def trained_until(folder: Path) -> pd.Timestamp:
    """The end of the first fold's training: every scored cutoff lies behind its own fold's."""
    return pd.Timestamp(Forecaster.load(folds_of(folder)[0]).spec.trained_until)
