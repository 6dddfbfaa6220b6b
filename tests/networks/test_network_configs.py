"""What a network may be made of, and what is refused."""

import subprocess
import sys

import pytest
from pydantic import ValidationError

from forecast.errors import RecipeError
from forecast.networks.configs import NetworkConfig
from forecast.networks.network import build
from forecast.networks.shape import NetworkShape

SHAPE = NetworkShape(past_columns=3, future_columns=27, context=30, horizon=10, hour_columns=(0, 24))


def test_configs_import_without_torch() -> None:
    code = "import sys, forecast.networks.configs; sys.exit('torch' in sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": ":".join(filter(None, sys.path))}, check=False
    )
    assert run.returncode == 0


def test_contradictions_are_refused_at_construction() -> None:
    for settings, text in (
        ({"encoder": {"kind": "gru", "bidirectional": True, "truncate": 5}}, "truncate = 5 and bidirectional"),
        ({"encoder": {"kind": "transformer", "width": 10, "heads": 4}}, "width 10 with 4 heads"),
        ({"decoder": {"kind": "attention", "width": 10, "heads": 4}}, "width 10 with 4 heads"),
        ({"decoder": {"kind": "recurrent", "width": 10, "attention": {"heads": 4}}}, "width 10 with 4 heads"),
        ({"decoder": {"kind": "recurrent", "teacher_forcing": 0.5}}, "autoregressive = false"),
        ({"decoder": {"kind": "recurrent", "autoregressive": True, "bidirectional": True}}, "its own future"),
        ({"highway": {"shared": False, "hourly": False, "smooth": 0, "leads": False}}, "Set highway = false"),
    ):
        with pytest.raises(RecipeError, match=text):
            NetworkConfig.model_validate(settings, by_name=True)
    with pytest.raises(RecipeError, match="no hour columns"):
        build(NetworkConfig(), SHAPE.model_copy(update={"hour_columns": None}), 0)


@pytest.mark.parametrize(
    "wrong",
    [{"quantiles": (0.5, 0.1)}, {"quantiles": (0.0, 0.5)}, {"quantiles": ()}, {"past_load_columns": (3,)},
     {"future_load_columns": (-1,)}, {"hour_columns": (5, 5)}, {"hour_columns": (10, 40)}],
)  # fmt: skip
def test_shapes_that_cannot_be_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(RecipeError):
        NetworkShape.model_validate({**SHAPE.model_dump(), **wrong})


def test_unknown_settings_are_refused_and_configs_round_trip() -> None:
    with pytest.raises(ValidationError, match="widht"):
        NetworkConfig.model_validate({"encoder": {"kind": "gru", "widht": 3}})
    config = NetworkConfig.model_validate(
        {"encoder": {"kind": "transformer"}, "decoder": {"kind": "recurrent", "autoregressive": True}, "highway": None}
    )
    assert NetworkConfig.model_validate_json(config.model_dump_json()) == config
    with pytest.raises(ValidationError, match="frozen"):
        config.dropout = 0.5
