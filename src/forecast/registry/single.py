"""`register_folder`: a model folder that stands alone becomes a registered version, without a retraining around it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from forecast.forecaster import Forecaster
from forecast.forecaster.exporting import with_graphs
from forecast.registry.card import model_card
from forecast.registry.decisions import CHALLENGER
from forecast.registry.models import example_inputs, log_forecaster, register
from forecast.registry.runs import dataset_name, recipe_params, running
from forecast.registry.store import open_store
from forecast.registry.words import recipe_note
from forecast.settings import Settings
from forecast.tables import Demand

if TYPE_CHECKING:
    from forecast.training import TrainingReport


def register_folder(
    folder: Path, settings: Settings, report: TrainingReport | None = None, *, demand: Demand | None = None
) -> str:
    """Logs and registers the forecaster of a folder; it becomes `challenger`, for nobody has judged it yet.

    Its networks' graphs are written where the folder lacks them.

    Args:
        folder: what `Forecaster.save` wrote.
        settings: which store and registered model.
        report: how it was trained.
        demand: what it was trained on, for an example and the digest.

    Returns:
        the version's number as text.

    Raises:
        ModelFolderError: the folder cannot be read.
        RegistryError: the store cannot be opened or refuses.
    """
    forecaster, store = with_graphs(Forecaster.load(folder)), open_store(settings)
    spec = forecaster.spec
    tags = {"kind": "recipe", "recipe": spec.name, "model_kind": spec.recipe.model.kind, "weather": spec.weather}
    note = recipe_note(spec, {}, report.gradient_health if report is not None else "")
    card = model_card(
        spec, data=dataset_name(demand) if demand is not None else "",
        gradient_health=report.gradient_health if report is not None else "",
    )  # fmt: skip
    with running(store, f"{spec.name} {spec.trained_until[:10]}", {**tags, "data_sha256": spec.data_digest}) as run:
        run.params(recipe_params(spec.recipe, spec.task))
        run.note(note)
        if demand is not None:
            run.dataset(demand)
            run.tags({"data": dataset_name(demand)})
        if report is not None:
            run.metrics({"training_seconds": report.seconds, "best_epoch": float(report.best_epoch)})
            run.epochs(report.history)
        logged = log_forecaster(run, forecaster, example_inputs(demand, spec) if demand is not None else None)
    number = register(logged, settings, tags={"weather": spec.weather, "unit": spec.unit}, description=card)
    store.client.set_registered_model_alias(settings.model_name, CHALLENGER, number)
    return number
