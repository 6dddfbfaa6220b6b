"""Two commands on a fresh machine: pins, Makefile, image, build server's script and skip report hold together."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def pins() -> dict[str, str]:
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    split = [line.split(";")[0].strip().split("==") for line in lines]
    assert all(len(pair) == 2 for pair in split), "every line of constraints.txt is name==version"
    return {canonicalize_name(name): version for name, version in split}


def declared() -> list[Requirement]:
    extras = PROJECT["optional-dependencies"].values()
    return [Requirement(line) for line in [*PROJECT["dependencies"], *(line for extra in extras for line in extra)]]


@pytest.mark.parametrize("requirement", declared(), ids=lambda r: r.name)
def test_every_dependency_is_bounded_and_pinned_within_its_bounds(requirement: Requirement) -> None:
    pinned = pins().get(canonicalize_name(requirement.name))
    assert pinned is not None, f"constraints.txt has no line for {requirement.name}; run make pins"
    assert requirement.specifier, f"{requirement.name} has no bounds in pyproject.toml"
    assert requirement.specifier.contains(pinned, prereleases=True), f"{requirement} excludes its own pin {pinned}"


def closure() -> dict[str, str]:
    """Name and installed version of everything that the declared requirements reach in this environment."""
    reached: dict[str, str] = {}
    waiting = [(requirement, "") for requirement in declared()]
    seen: set[tuple[str, str]] = set()
    while waiting:
        requirement, extra = waiting.pop()
        if requirement.marker and not requirement.marker.evaluate({"extra": extra}):
            continue
        distribution = metadata.distribution(requirement.name)
        name = canonicalize_name(requirement.name)
        reached[name] = distribution.version.split("+")[0]
        for wanted in {"", *requirement.extras} - {e for n, e in seen if n == name}:
            seen.add((name, wanted))
            waiting += [(Requirement(line), wanted) for line in distribution.requires or []]
    return reached


def test_every_pin_installs_on_the_oldest_python() -> None:
    """Debian 12 has Python 3.11.2; a pin that wants 3.11.5 cannot be installed there, whatever else fits."""
    oldest = PROJECT["requires-python"].split(",")[0].removeprefix(">=") + ".0"
    assert oldest == "3.11.0"
    for name in closure():
        wanted = metadata.distribution(name).metadata.get("Requires-Python")
        assert not wanted or SpecifierSet(wanted).contains(oldest), f"{name} wants Python {wanted}: pin an older one"


def test_everything_reached_is_installed_as_pinned() -> None:
    reached, pinned = closure(), pins()
    reached.pop("pip", None)  # pip-audit asks for it; every environment brings its own
    assert {"torch", "starlette", "psycopg-binary"} <= set(reached), "the walk misses transitive requirements"
    strays = {name: (version, pinned.get(name)) for name, version in reached.items() if pinned.get(name) != version}
    assert not strays, f"installed and pinned versions differ (None: no pin); run make pins: {strays}"


def test_pins_name_releases_of_any_index() -> None:
    local = {name: version for name, version in pins().items() if "+" in version}
    assert not local, f"a local version is found on one index only: {local}"
    assert pins()["torch"] == "2.13.0"


def test_make_lists_every_target() -> None:
    text = (ROOT / "Makefile").read_text()
    (phony,) = re.findall(r"^\.PHONY: (.*)$", text, re.MULTILINE)
    shown = subprocess.run(["make", "-s", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert set(phony.split()) == {line.split()[1] for line in shown.splitlines()}


def test_make_stamps_the_install_by_its_inputs() -> None:
    """A changed pin is installed before anything runs: every target that uses .venv waits for the stamp."""
    text = (ROOT / "Makefile").read_text()
    assert re.search(r"^\$\(STAMP\): pyproject\.toml constraints\.txt$", text, re.MULTILINE)
    rules = re.split(r"\n(?=[a-z$]+[^=\n]*:)", text)
    users = [rule for rule in rules if "\t@" in rule and "$(VENV)/bin" in rule and not rule.startswith("$(STAMP)")]
    assert len(users) >= 8
    assert all("$(STAMP)" in rule.splitlines()[0] for rule in users)


def test_the_image_runs_the_service_as_nobody_special() -> None:
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    last = "\n".join(lines[max(i for i, line in enumerate(lines) if line.startswith("FROM ")) :])
    assert re.search(r"^USER (?!root|0)", last, re.MULTILINE)
    assert '"forecast", "serve", "--host", "0.0.0.0"' in last


def test_mlruns_is_kept_empty_in_git() -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    asked = subprocess.run(["git", "check-ignore", "-q", "mlruns/mlflow.db"], cwd=ROOT)
    kept = subprocess.run(["git", "check-ignore", "-q", "mlruns/.gitkeep"], cwd=ROOT)
    assert (asked.returncode, kept.returncode) == (0, 1)
    assert (ROOT / "mlruns" / ".gitkeep").read_text() == ""


def test_the_build_servers_script_is_sound() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    subprocess.run(["bash", "-n", str(script)], check=True)
    assert script.read_text().rstrip().splitlines()[-1] == "make test FORECAST_TEST_STRICT=1"


LACKING = """
def test_database(postgres_url): raise AssertionError("not reached")
def test_another(postgres_url): raise AssertionError("not reached")
def test_page(chromium): raise AssertionError("not reached")
def test_plain(): pass
"""


def run_on_a_bare_machine(folder: Path, *options: str, **environment: str) -> tuple[int, list[str]]:
    """Runs four tests under this project's conftest where neither PostgreSQL nor Chromium can be found."""
    (folder / "conftest.py").write_text(
        (ROOT / "tests" / "conftest.py").read_text() + "\nPOSTGRES_FOLDERS = '/absent'\n"
    )
    (folder / "test_lacking.py").write_text(LACKING)
    (folder / "pytest.ini").write_text("[pytest]\nmarkers =\n  postgres\n  browser\n  data\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:benchmark", *options]
    kept = {"HOME": str(folder), "PATH": str(folder)}
    done = subprocess.run(command, cwd=folder, env=kept | environment, capture_output=True, text=True, timeout=120)
    return done.returncode, done.stdout.strip().splitlines()


@pytest.mark.parametrize("options", [(), ("-n", "2")], ids=["alone", "xdist"])
def test_missing_tools_are_named_in_the_last_lines(tmp_path: Path, options: tuple[str, ...]) -> None:
    code, lines = run_on_a_bare_machine(tmp_path, *options)
    assert code == 0
    assert lines[-1].startswith("1 passed, 3 skipped")
    last = "\n".join(lines[-6:-1])
    assert "1 skipped: needs Chromium" in last
    assert "sudo apt-get install chromium" in last
    assert "2 skipped: needs PostgreSQL" in last
    assert "sudo apt-get install postgresql" in last


def test_strict_turns_missing_tools_into_errors(tmp_path: Path) -> None:
    code, lines = run_on_a_bare_machine(tmp_path, FORECAST_TEST_STRICT="1")
    assert code == 1
    assert lines[-1].startswith("1 passed, 3 errors")
