"""What the promises of the store stand on: an undisturbed feed, and a server that may be stopped."""

from __future__ import annotations

import importlib
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from forecast.store import Store
from tests import conftest

# By its own name, as the processes find it: elsewhere a package is called tests, too.
sys.path.append(str(Path(__file__).parent))


@pytest.fixture(scope="session")
def feeding() -> ModuleType:
    """The module of the feed and of the processes that feed."""
    return importlib.import_module("feeding")


@pytest.fixture(scope="session")
def undisturbed(feeding: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Any, ...]]:
    """What stands in a store that nobody disturbs."""
    with Store.open(f"sqlite:///{tmp_path_factory.mktemp('undisturbed')}/store.db") as store:
        assert feeding.feed(store) == feeding.BATCHES
        told = feeding.rows(store)
    assert len({row[:3] for row in told}) == 2 * 2 * feeding.BATCHES * feeding.HOURS
    assert sum(row[4] > 0 for row in told) > 10, "nothing was revised"
    return told


@dataclass(frozen=True)
class Server:
    """A PostgreSQL of one's own, which may be stopped."""

    programs: Path
    room: Path
    as_user: list[str]
    port: int

    @property
    def url(self) -> str:
        return f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/postgres"

    def crash(self) -> None:
        self._control("-m", "immediate", "stop")

    def start(self) -> None:
        self._control("-l", f"{self.room}/log", "-o", f"-p {self.port} -k {self.room}", "start")

    def _control(self, *words: str) -> None:
        program = f"{self.programs}/pg_ctl"
        conftest._call([*self.as_user, program, "-D", f"{self.room}/data", "-w", *words], self.room)


@pytest.fixture
def server() -> Iterator[Server]:
    programs = conftest._postgres_programs()
    if programs is None:
        conftest._lacking("PostgreSQL", "a server that can be stopped")
    with tempfile.TemporaryDirectory(prefix="forecast-postgres-", ignore_cleanup_errors=True) as folder:
        room = Path(folder)
        as_user = conftest._unprivileged(room)
        one = Server(programs, room, as_user, conftest._start_postgres(programs, room, as_user))
        try:
            yield one
        finally:
            one.crash()
