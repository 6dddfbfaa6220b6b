"""Real processes: started in order, started again, stopped in reverse; ports and locks."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from forecast.errors import SupervisingError
from forecast.supervising import Part, Supervisor, check_ports, only_one
from forecast.supervising.supervisor import Patience

QUICK = Patience(start=20, between=0.2, silence=1.5, first=0.2, longest=1, settled=60, look=0.02)
# Listens on a socket's file, and notes its start and its end.
LISTENER = """
import os, signal, socket, subprocess, sys, time
path, notes, name = sys.argv[1:4]
def note(word):
    with open(notes, "a") as file: file.write(f"{word} {name}\\n")
def stop(*_):
    note("stop"); sys.exit(0)
signal.signal(signal.SIGTERM, stop)
if os.path.exists(path): os.unlink(path)
child = subprocess.Popen(["sleep", "1000"]); open(f"{path}.child", "w").write(str(child.pid))
one = socket.socket(socket.AF_UNIX); one.bind(path); one.listen(); note("start")
while True:
    if os.path.exists(f"{path}.deaf"):
        one.close(); os.path.exists(path) and os.unlink(path); time.sleep(1000)
    one.settimeout(0.05)
    try: one.accept()
    except TimeoutError: pass
"""


@pytest.fixture
def room() -> Iterator[Path]:
    """A folder with a short name, as sockets like it."""
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def part(room: Path, name: str, **more: object) -> Part:
    path = room / f"{name}.sock"
    command = (sys.executable, "-S", "-c", LISTENER, str(path), str(room / "notes"), name)
    return Part(name, command, room / "logs" / f"{name}.log", f"unix:{path}", **more)  # type: ignore[arg-type]


def notes(room: Path) -> list[str]:
    return (room / "notes").read_text().splitlines() if (room / "notes").exists() else []


def kept(stages: list[list[Part]], then: Callable[[], None], patience: Patience = QUICK) -> list[str]:
    """Runs a supervisor until `then` has ended, as one Ctrl+C would end it; returns what it told."""
    told: list[str] = []
    failed: list[BaseException] = []

    def ready() -> None:
        threading.Thread(target=act).start()

    def act() -> None:
        try:
            then()
        except BaseException as error:
            failed.append(error)
        os.kill(os.getpid(), signal.SIGINT)

    Supervisor(stages, told.append, patience).run(ready)
    if failed:
        raise failed[0]
    return told


def until(true: Callable[[], object], seconds: float = 10) -> None:
    limit = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < limit, "it did not happen in time"
        time.sleep(0.02)


def alive(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{number}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"


def test_parts_start_stage_by_stage_and_stop_in_reverse(room: Path) -> None:
    first, second = part(room, "first"), part(room, "second")
    told = kept([[first], [second]], lambda: None)
    assert notes(room) == ["start first", "start second", "stop second", "stop first"]
    assert told == ["second stopped", "first stopped"]
    until(lambda: not alive(int((room / "first.sock.child").read_text())))


def test_who_is_killed_is_started_again_and_its_children_go_with_it(room: Path) -> None:
    prepared = room / "prepared"
    prepare = ("/bin/sh", "-c", f"echo once >> {prepared}")
    child = room / "one.sock.child"

    def kill() -> None:
        orphan = int(child.read_text())
        pid = int(Path(f"/proc/{orphan}/stat").read_text().rsplit(")", 1)[1].split()[1])
        os.kill(pid, signal.SIGKILL)
        until(lambda: notes(room).count("start one") == 2)
        until(lambda: not alive(orphan))
        time.sleep(0.5)

    told = kept([[part(room, "one", prepare=prepare)]], kill)
    assert told[0].startswith("one ended with SIGKILL; it is started again in 0.2 s")
    assert told[1:] == ["one is well again", "one stopped"]
    assert prepared.read_text().count("once") == 2


def test_who_falls_silent_is_started_again(room: Path) -> None:
    def silence() -> None:
        deaf = room / "one.sock.deaf"
        deaf.touch()
        time.sleep(0.3)
        deaf.unlink()
        until(lambda: notes(room).count("start one") == 2)
        time.sleep(0.5)

    told = kept([[part(room, "one")]], silence)
    assert "did not answer for" in told[0]
    assert told[1] == "one is well again"


def test_who_does_not_start_stops_the_others_and_is_named(room: Path) -> None:
    broken = Part("broken", ("/bin/sh", "-c", "echo why; exit 3"), room / "broken.log", "unix:/nowhere/x")
    with pytest.raises(SupervisingError, match=r"broken does not start.*broken\.log"):
        kept([[part(room, "first")], [broken]], lambda: None)
    assert notes(room) == ["start first", "stop first"]
    assert (room / "broken.log").read_text() == "why\n" * 3


def test_a_killed_keeper_leaves_nothing(room: Path) -> None:
    code = f"""
import sys
from pathlib import Path
from forecast.supervising import Part, Supervisor
command = (sys.executable, "-S", "-c", {LISTENER!r}, "{room}/one.sock", "{room}/notes", "one")
Supervisor([[Part("one", command, Path("{room}/log"), "unix:{room}/one.sock")]], print).run(lambda: None)
"""
    keeper = subprocess.Popen([sys.executable, "-c", code])
    until(lambda: notes(room) == ["start one"], 30)
    keeper.kill()
    keeper.wait()
    until(lambda: notes(room) == ["start one", "stop one"])


def test_busy_ports_are_all_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(SupervisingError, match=rf"port {port} \(FORECAST_PORT\) already.*nothing was started"):
            check_ports({"FORECAST_PORT": ("127.0.0.1", port)})
    with pytest.raises(SupervisingError, match="A and B are the same port 4200"):
        check_ports({"A": ("127.0.0.1", 4200), "B": ("127.0.0.1", 4200)})
    check_ports({"FORECAST_PORT": ("127.0.0.1", port)})


def test_there_is_one_keeper_for_a_folder(tmp_path: Path) -> None:
    with (
        only_one(tmp_path / "up.lock"),
        pytest.raises(SupervisingError, match=f"process {os.getpid()} runs everything for {tmp_path} already"),
        only_one(tmp_path / "up.lock"),
    ):
        raise AssertionError("two keepers")
    with only_one(tmp_path / "up.lock"):
        pass
