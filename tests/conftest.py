"""What every test stands on: an isolated environment, and the tools that a machine may lack.

Fixtures: `shared_data` (the real measurements), `postgres_url` (an empty database of one's own), `chromium`.
Where PostgreSQL or Chromium is missing the test is skipped and the last lines of the run say so;
FORECAST_TEST_STRICT=1 turns those skips into errors.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import NoReturn
from uuid import uuid4

import pytest

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
POSTGRES_FOLDERS = "/usr/lib/postgresql"
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
INSTALL = {
    "PostgreSQL": "sudo apt-get install postgresql (or name a server: FORECAST_TEST_POSTGRES=postgresql+psycopg://...)",
    "Chromium": "sudo apt-get install chromium",
}
MARKERS = {"shared_data": "data", "postgres_url": "postgres", "chromium": "browser"}
TOGETHER = ("flows", "serving", "registry", "search", "explanations")
"""Folders whose tests one process runs: what they share (a Prefect server, an MLflow store, a trained model) is made
once. They begin first, the longest before the others, and the files that take longest after them: started last, one
keeps a single process busy when the rest is done."""
LONG = ("promises/test_packaging.py", "promises/test_tripwire.py")
_home: list[str] = []


# ---- the environment ---------------------------------------------------------------------------------------------


def pytest_configure(config: pytest.Config) -> None:
    """Gives this process a home of its own, before mlflow, prefect or torch can look at the user's."""
    home = tempfile.mkdtemp(prefix="forecast-tests-")
    _home.append(home)
    foreign = ("PREFECT_", "MLFLOW_", "FORECAST_")
    for name in [n for n in os.environ if n.startswith(foreign) and not n.startswith("FORECAST_TEST_")]:
        del os.environ[name]
    os.environ.update(
        MLFLOW_DISABLE_TELEMETRY="true",
        MLFLOW_TRACKING_URI=f"sqlite:///{home}/mlflow.db",
        MPLBACKEND="Agg",
        OMP_NUM_THREADS="1",
        OMP_WAIT_POLICY="PASSIVE",
        PREFECT_HOME=f"{home}/prefect",
        PREFECT_SERVER_ANALYTICS_ENABLED="false",
    )
    _settle_hypothesis()


def _settle_hypothesis() -> None:
    """No deadlines (a busy machine is not a defect); the same examples on every run of a build server."""
    from hypothesis import settings

    settings.register_profile("house", deadline=None, derandomize=bool(os.environ.get("CI")))
    settings.load_profile("house")


def pytest_unconfigure(config: pytest.Config) -> None:
    while _home:
        shutil.rmtree(_home.pop(), ignore_errors=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test that asks for a tool carries its marker: `-m "not browser"` needs no second declaration.

    And each says who it is run with, the longest first.
    """
    items.sort(key=_turn)
    for item in items:
        folder = item.path.parent.name
        item.add_marker(pytest.mark.xdist_group(folder if folder in TOGETHER else f"{folder}/{item.path.stem}"))
        for fixture in getattr(item, "fixturenames", ()):
            if fixture in MARKERS:
                item.add_marker(MARKERS[fixture])


def _turn(item: pytest.Item) -> int:
    folder = item.path.parent.name
    if folder in TOGETHER:
        return TOGETHER.index(folder)
    return len(TOGETHER) + (not item.path.as_posix().endswith(LONG))


@pytest.fixture(autouse=True)
def _one_thread_without_denormals(request: pytest.FixtureRequest) -> None:
    """One thread, and denormal numbers flushed (they slow vanishing gradients fivefold), once torch is there.

    Property tests keep them: hypothesis draws denormal numbers, too.
    """
    torch = sys.modules.get("torch")
    if torch is not None and hasattr(torch, "set_flush_denormal"):
        torch.set_num_threads(1)
        torch.set_flush_denormal(not getattr(request.function, "is_hypothesis_test", False))


# ---- tools that a machine may lack -------------------------------------------------------------------------------


def _lacking(tool: str, why: str) -> NoReturn:
    reason = f"needs {tool}: {why}"
    if os.environ.get("FORECAST_TEST_STRICT", "0") not in ("", "0"):
        pytest.fail(f"{reason}; {INSTALL[tool]} (FORECAST_TEST_STRICT forbids the skip)", pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real measurements beside the checkout."""
    if not SHARED_DATA.is_dir():
        pytest.skip("needs the real measurements in ../shared/data beside the checkout, which are not part of it")
    return SHARED_DATA


@pytest.fixture(scope="session")
def chromium() -> Path:
    """The program of a Chromium browser."""
    for name in CHROMIUM_NAMES:
        if found := shutil.which(name):
            return Path(found)
    _lacking("Chromium", f"none of {', '.join(CHROMIUM_NAMES)} is on the PATH")


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """SQLAlchemy URL of a server where databases may be made: FORECAST_TEST_POSTGRES, or a private one."""
    if named := os.environ.get("FORECAST_TEST_POSTGRES"):
        yield named
        return
    folder = _postgres_programs()
    if folder is None:
        _lacking("PostgreSQL", f"no FORECAST_TEST_POSTGRES, no initdb on the PATH or in {POSTGRES_FOLDERS}")
    with tempfile.TemporaryDirectory(prefix="forecast-postgres-", ignore_cleanup_errors=True) as room:
        as_user = _unprivileged(Path(room))
        port = _start_postgres(folder, Path(room), as_user)
        try:
            yield f"postgresql+psycopg://postgres@127.0.0.1:{port}/postgres"
        finally:
            _call([*as_user, f"{folder}/pg_ctl", "-D", f"{room}/data", "-m", "immediate", "-w", "stop"], room)


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """SQLAlchemy URL of an empty database, dropped after the test."""
    from sqlalchemy import create_engine, make_url, text

    name = f"forecast_test_{uuid4().hex[:12]}"
    engine = create_engine(postgres_server, isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        yield make_url(postgres_server).set(database=name).render_as_string(hide_password=False)
        with engine.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    finally:
        engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URL of a store that is not there yet, in both databases."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/store.db"
    return str(request.getfixturevalue("postgres_url"))


def _postgres_programs() -> Path | None:
    """The folder with initdb and pg_ctl: the PATH's, else the newest of Debian's."""
    on_path = [Path(found).resolve().parent for found in [shutil.which("initdb")] if found]
    versions = sorted(Path(POSTGRES_FOLDERS).glob("*/bin"), key=_version, reverse=True)
    return next((f for f in [*on_path, *versions] if (f / "initdb").exists() and (f / "pg_ctl").exists()), None)


def _version(folder: Path) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", folder.parent.name)]


def _unprivileged(room: Path) -> list[str]:
    """The words before a command that make it run as somebody else than root; PostgreSQL refuses root."""
    if os.geteuid() != 0:
        return []
    import pwd

    user = next((u for u in ("postgres", "nobody") if u in {p.pw_name for p in pwd.getpwall()}), None)
    tool = next((t for t in ("setpriv", "runuser") if shutil.which(t)), None)
    if user is None or tool is None:
        _lacking("PostgreSQL", "the tests run as root and nothing was found to run a server as another user")
    shutil.chown(room, user)
    if tool == "setpriv":
        group = pwd.getpwnam(user).pw_gid
        return ["setpriv", f"--reuid={user}", f"--regid={group}", "--clear-groups", "--"]
    return ["runuser", "-u", user, "--"]


def _start_postgres(folder: Path, room: Path, as_user: list[str]) -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    data = room / "data"
    _call([*as_user, f"{folder}/initdb", "-D", str(data), "-A", "trust", "-U", "postgres", "-E", "UTF8", "-N"], room)
    options = f"-p {port} -k {room} -c listen_addresses=127.0.0.1 -c fsync=off -c full_page_writes=off"
    _call([*as_user, f"{folder}/pg_ctl", "-D", str(data), "-l", f"{room}/log", "-o", options, "-w", "start"], room)
    return port


def _call(command: list[str], folder: Path | str) -> None:
    """Runs a command whose daemon may live on: its output goes to a file, for a pipe would never close."""
    with tempfile.TemporaryFile("w+") as said:
        done = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=said, stderr=said, timeout=120)
        said.seek(0)
        assert done.returncode == 0, f"{' '.join(command)} ended with {done.returncode}:\n{said.read()}"


# ---- the last lines ----------------------------------------------------------------------------------------------


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> Generator[None]:
    """Says last which tests were skipped for want of a tool, and how to get it."""
    result = yield
    reasons = Counter(_reason(report) for report in terminalreporter.stats.get("skipped", ()))
    told = tuple(f"needs {tool}:" for tool in INSTALL)
    lacking = {reason: count for reason, count in reasons.items() if reason.startswith(told)}
    if lacking:
        terminalreporter.section("not tested on this machine", yellow=True)
        for reason, count in sorted(lacking.items()):
            tool = reason.removeprefix("needs ").split(":")[0]
            terminalreporter.line(f"{count} skipped: {reason}")
            terminalreporter.line(f"    to have {tool}: {INSTALL[tool]}")
        terminalreporter.line("FORECAST_TEST_STRICT=1 makes these skips fail; .ci/run installs what is missing")
    return result


def _reason(report: object) -> str:
    """A skip's reason; reports from xdist's workers carry the same triple as local ones."""
    told = getattr(report, "longrepr", None)
    return str(told[2]).removeprefix("Skipped: ") if isinstance(told, (tuple, list)) and len(told) == 3 else ""
