"""What README and docs show can be done: commands parse, links lead somewhere, files and requests are accepted."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import typer
from pydantic import BaseModel

from forecast.cli.app import app
from forecast.cli.options import Data, DataOptions
from forecast.forecaster import Forecaster
from forecast.networks import configs
from forecast.recipe import (
    EnsembleModel,
    FeatureConfig,
    NetworkModel,
    PretrainingConfig,
    Recipe,
    RidgeModel,
    Task,
    TrainingConfig,
    TreesModel,
)
from forecast.recipes import RECIPES, named
from forecast.settings import Settings
from forecast.tables import Columns, Demand
from forecast.training import fit
from serving import create_app
from serving.bodies import ForecastRequest

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
CHOOSING = ROOT / "docs" / "choosing.md"
ARCHITECTURE = ROOT / "docs" / "architecture.md"
PAGES = sorted([README, *(ROOT / "docs").glob("*.md")])
COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
OPTION = re.compile(r"(?<!\S)--[a-z][a-z-]*")
INSTALLED = (
    "/home/forecast", "/opt/forecast", "/var/lib/demand-forecast", "/etc/demand-forecast.env", "/etc/systemd/system/",
)  # fmt: skip
"""Where images and units put things, on every machine."""
# Folders of one machine; addresses of the public and variables are none.
MACHINE_PATH = re.compile(r"(?<![\w.:/])/(?:home|root|work|tmp|opt|usr|var|mnt|data|etc|srv)/|(?<!\.)\.\./|[A-Z]:\\")


def blocks(page: Path, language: str) -> list[str]:
    return [text for found, text in FENCE.findall(page.read_text(encoding="utf-8")) if found == language]


def shown_commands() -> Iterator[tuple[str, list[str]]]:
    """Every complete `forecast ...` line of a shell block, split as a shell would."""
    for page in PAGES:
        for block in blocks(page, "sh"):
            for line in block.replace("\\\n", " ").splitlines():
                if line.startswith("forecast "):
                    yield f"{page.name}: {line}", shlex.split(line)[1:]


def said_commands() -> Iterator[tuple[str, list[str]]]:
    """Every `forecast COMMAND ...` named within a sentence; its arguments may be left out."""
    for page in PAGES:
        for span in INLINE.findall(FENCE.sub("", page.read_text(encoding="utf-8"))):
            if span.startswith("forecast "):
                yield f"{page.name}: {span}", span.split()[1:]


def offered_by(command: Any) -> set[str]:
    """Options of a command; of a group, those of all its commands."""
    own = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    return own.union(*(offered_by(one) for one in getattr(command, "commands", {}).values()))


def files_of_options() -> dict[str, str]:
    """The option file that the README shows, by the name that its commands use."""
    (text,) = blocks(README, "toml")
    return {"run.toml": text}


@pytest.fixture
def beside_the_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the files that the documents' commands name."""
    for name, text in files_of_options().items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "my_recipe.toml").write_text(blocks(CHOOSING, "toml")[0], encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_documents_show_every_command() -> None:
    named_commands = {words[0] for _, words in [*shown_commands(), *said_commands()]}
    assert named_commands == set(COMMANDS)


@pytest.mark.parametrize(("line", "words"), [pytest.param(*each, id=each[0]) for each in shown_commands()])
@pytest.mark.usefixtures("beside_the_files")
def test_a_shown_command_is_complete(line: str, words: list[str]) -> None:
    command = COMMANDS[words[0]]
    context = command.make_context(f"forecast {words[0]}", list(words[1:]))
    if "stamp_zone" in context.params:
        Data({name: context.params[name] for name in vars(DataOptions)["__annotations__"]})
    for name in str(context.params.get("recipe") or "default").split(","):
        assert named(name)


@pytest.mark.parametrize(("span", "words"), [pytest.param(*each, id=each[0]) for each in said_commands()])
def test_a_named_command_has_these_options(span: str, words: list[str]) -> None:
    assert set(OPTION.findall(" ".join(words[1:]))) <= offered_by(COMMANDS[words[0]]) | {"--help"}, span


@pytest.mark.usefixtures("beside_the_files")
def test_the_retraining_of_the_readme_is_complete() -> None:
    from flows.retrain import app as retraining

    (said,) = re.findall(r"`python -m flows\.retrain ([^`]+)`", README.read_text(encoding="utf-8"))
    context = typer.main.get_command(retraining).make_context("retrain", said.split())
    assert context.params["zone"] == tomllib.loads(files_of_options()["run.toml"])["zone"]


def test_a_wrong_command_is_found_out() -> None:
    with pytest.raises(Exception, match="No such option"):
        COMMANDS["train"].make_context("forecast train", ["demand.csv", "--zones", "Europe/Lisbon"])


def test_options_named_alone_exist_somewhere() -> None:
    offered = {"--help"}.union(*(offered_by(command) for command in COMMANDS.values()))
    for page in PAGES:
        for span in INLINE.findall(FENCE.sub("", page.read_text(encoding="utf-8"))):
            if span.startswith("--"):
                assert set(OPTION.findall(span)) <= offered, f"{page.name}: {span}"


def test_modules_and_targets_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for module in re.findall(r"python -m ([\w.]+)", text):
            assert find_spec(module), f"{page.name}: python -m {module}"
        for target in re.findall(r"(?:^ {4}|`)make ([a-z]+)", text, re.MULTILINE):
            assert target in targets, f"{page.name}: make {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for link in LINK.findall(page.read_text(encoding="utf-8")):
        if "://" in link:
            continue
        place, _, part = link.partition("#")
        target = (page.parent / place).resolve() if place else page
        assert target.is_relative_to(ROOT), f"{page.name} leaves the project: {link}"
        assert target.exists(), f"{page.name}: {link}"
        if part:
            assert part in anchors(target), f"{page.name}: {link}"


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_documents_hold_no_machine_paths(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for place in INSTALLED if page.name == "deployment.md" else ():
        text = text.replace(place, "")
    assert not MACHINE_PATH.findall(text)


def test_places_of_an_installation_are_those_of_images_and_units() -> None:
    files = [ROOT / "Dockerfile", ROOT / "compose.yaml", *(ROOT / "deploy" / "systemd").iterdir()]
    said = "".join(file.read_text(encoding="utf-8") for file in files)
    assert [place for place in INSTALLED if place not in said] == ["/etc/systemd/system/"]


def test_a_machine_path_would_be_found() -> None:
    assert MACHINE_PATH.search("see /home/someone/model and")
    assert MACHINE_PATH.search("`../elsewhere/data.csv`")


def test_readme_stays_short() -> None:
    assert len(README.read_text(encoding="utf-8").splitlines()) <= 220


def test_every_room_is_described() -> None:
    folder = ROOT / "src" / "forecast"
    rooms = {path.stem for path in folder.glob("*.py")} | {path.parent.name for path in folder.glob("*/__init__.py")}
    rooms = (rooms - {"__init__", "__main__"}) | {"flows/", "serving/"}
    _, _, rest = ARCHITECTURE.read_text(encoding="utf-8").partition("\n## Rooms\n")
    described = set(re.findall(r"^\| `([\w/]+)` \|", rest.partition("\n## ")[0], re.MULTILINE))
    assert described == rooms


def test_architecture_opens_with_the_picture() -> None:
    head = ARCHITECTURE.read_text(encoding="utf-8")
    assert re.match(r"# Architecture\n\n```mermaid\nflowchart", head)


def test_the_recipe_of_the_page_loads_and_learns(beside_the_files: Path) -> None:
    recipe = Recipe.from_toml(beside_the_files / "my_recipe.toml")
    assert isinstance(recipe.model, NetworkModel)
    short = recipe.model.training.model_copy(update={"epochs": 1, "windows_per_epoch": 32})
    recipe = recipe.model_copy(update={"model": recipe.model.model_copy(update={"training": short})})
    forecaster = fit(meter(), recipe, Task(horizon=24)).forecaster
    assert forecaster.spec.name == recipe.name


def test_every_recipe_is_named() -> None:
    text = CHOOSING.read_text(encoding="utf-8")
    assert {name for name in RECIPES if f"`{name}`" not in text} == set()


def fields_row(title: str) -> str:
    """A row of the page's table of recipe fields."""
    (row,) = re.findall(rf"^\| `?{re.escape(title)}`? \| (.+) \|$", CHOOSING.read_text(encoding="utf-8"), re.MULTILINE)
    return str(row)


FIELDS: list[tuple[str, type[BaseModel]]] = [
    ("top", Recipe), ("features", FeatureConfig), ("model", RidgeModel), ("model", TreesModel),
    ("model", NetworkModel), ("model", EnsembleModel), ("model.training", PretrainingConfig),
    ("model.network", configs.NetworkConfig), ("…encoder", configs.RecurrentConfig),
    ("…encoder", configs.ConvolutionConfig), ("…encoder", configs.TransformerConfig),
    ("…encoder", configs.NoEncoderConfig), ("…decoder", configs.DirectConfig),
    ("…decoder", configs.RecurrentDecoderConfig), ("…decoder", configs.AttentionDecoderConfig),
    ("…highway", configs.HighwayConfig), ("…scaling", configs.ScalingConfig), ("model.training", TrainingConfig),
]  # fmt: skip
ELSEWHERE = {("top", "model"), ("top", "features"), ("model", "training")}


@pytest.mark.parametrize(("title", "config"), FIELDS)
def test_the_table_of_fields_is_complete_and_right(title: str, config: type[BaseModel]) -> None:
    row = fields_row(title)
    for name, field in config.model_fields.items():
        assert (title, name) in ELSEWHERE or f"`{name}`" in row, f"{title} lacks {name}"
        said = re.findall(rf"`{name}` \(?(\d+\.?\d*)", row)
        if said and isinstance(field.default, int | float):
            assert float(field.default) in map(float, said), f"{title}: {name} is {field.default}"


def test_training_defaults_are_all_said() -> None:
    row = fields_row("model.training")
    for name, field in TrainingConfig.model_fields.items():
        default = str(field.default).lower()
        found = re.search(rf"`{name}` \(([^)]*)\)", row)
        assert found, name
        first = re.split(r"[,;:]", found[1])[0].strip('" ')
        same = float(first) == float(default) if re.fullmatch(r"[\d.]+", first) else first == default
        assert same, f"{name}: the page says {first}, the recipe {default}"


def test_settings_are_all_in_the_table() -> None:
    text = README.read_text(encoding="utf-8")
    missing = [name for name in Settings.model_fields if f"`FORECAST_{name.upper()}`" not in text]
    assert not missing


def meter() -> Demand:
    """A city like the README's: hourly, with a temperature that is known ahead."""
    ds = pd.date_range("2024-03-01", "2024-04-30T23:00", freq="1h", tz="UTC", inclusive="left")
    wave = np.sin(2 * np.pi * np.arange(len(ds)) / 24)
    frame = pd.DataFrame({"unique_id": "city", "ds": ds, "y": 300 + 60 * wave, "temperature": 15 + 5 * wave})
    return Demand.from_frame(frame, columns=Columns(known=("temperature",)), zone="Europe/Lisbon")


@pytest.fixture(scope="module")
def forecaster() -> Forecaster:
    return fit(meter(), RECIPES["ridge"], Task(horizon=24)).forecaster


def curl_body() -> str:
    (body,) = re.findall(r"^curl \S+/v1/forecasts .*?-d '(.*?)'$", README.read_text(encoding="utf-8"), re.M | re.S)
    return str(body)


def test_the_request_of_the_readme_is_well_formed() -> None:
    request = ForecastRequest.model_validate_json(curl_body())
    asked = request.series[0]
    assert asked.future is not None
    declared = tomllib.loads(files_of_options()["run.toml"])["known"]
    assert list(asked.history.columns) == list(asked.future.columns) == declared


def test_the_request_of_the_readme_is_answered(forecaster: Forecaster, tmp_path: Path) -> None:
    from starlette.testclient import TestClient

    settings = Settings.read(home=tmp_path)
    with TestClient(create_app(settings, forecaster)) as client:
        answer = client.post("/v1/forecasts", content=curl_body(), headers={"Content-Type": "application/json"})
    assert answer.status_code == 200, answer.text
    said = answer.json()
    assert len(said["forecasts"][0]["ds"]) == ForecastRequest.model_validate_json(curl_body()).horizon
    assert list(said["forecasts"][0]["quantiles"]) == ["q0.1", "q0.5", "q0.9"]
    assert (said["rung"], said["forecasts"][0]["reason"]) == ("group_profile", "incomplete")
    assert not any("known-ahead" in warning for warning in said["warnings"])
