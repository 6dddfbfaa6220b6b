"""`python -m deploy.proof.prove`: the image `serve`, proved where no container engine is: as root, on Linux.

Runs the steps of the Dockerfile in a folder of its own, starts the service as the image would (uid 10001, read only but
for /tmp and mlruns), asks it, stops it, and prints what that took. `--root FOLDER` takes an image that an engine built
and unpacked (`buildah mount`, `docker export`) instead of running the steps.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from deploy.proof.dockerfile import chain, stages
from deploy.proof.running import UID, shut_in

ROOT = Path(__file__).resolve().parents[2]
ASKED = 100


def main() -> None:
    """Prints one figure a line."""
    asks = argparse.ArgumentParser(description="Prove the image that serves.")
    asks.add_argument("--model", type=Path, required=True, help="a model folder with graphs")
    asks.add_argument("--root", type=Path, help="an unpacked image; its steps run here without one")
    asks.add_argument("--port", default="8765")
    given = asks.parse_args()
    # Not below /tmp, which is replaced by an empty one.
    room = Path(tempfile.mkdtemp(prefix="image-", dir="/var/tmp"))
    room.chmod(0o755)
    try:
        prove(given.model, given.root, room, given.port)
    finally:
        shutil.rmtree(room, ignore_errors=True)


def prove(model: Path, image: Path | None, room: Path, port: str) -> None:
    """Builds where there is no image, and runs it."""
    if image is None:
        build(room)
    venv = (image / "opt/forecast") if image else room / "opt/forecast"
    print(f"installed: {megabytes(venv)} MB in {len(list(venv.glob('lib/*/site-packages/*.dist-info')))} packages")
    data = room / "home/forecast/mlruns"
    data.mkdir(parents=True, exist_ok=True)
    shutil.copytree(model, data / "model")
    subprocess.run(["chown", "-R", f"{UID}:{UID}", str(data)], check=True)
    place = "/home/forecast/mlruns" if image else str(data)
    commands = [step[1] for step in chain(stages(ROOT / "Dockerfile"), "serve") if step[0] == "CMD"]
    command = [port if word == "8000" else word for word in json.loads(commands[-1])]
    with (room / "log").open("wb") as log:
        run(command, image or Path("/"), data, place, f"{'' if image else room}/opt/forecast/bin", log, port)


def build(room: Path) -> None:
    """The steps of the stage that installs what the image `serve` holds; paths of the image below `room`."""
    (room / "opt").mkdir()
    work = room / "build"
    work.mkdir()
    environment = {**os.environ, "PATH": "/usr/local/bin:/usr/bin:/bin", "PIP_QUIET": "2"}
    for word, rest in chain(stages(ROOT / "Dockerfile"), "build-serve"):
        if word == "ENV":
            environment |= dict(pair.split("=", 1) for pair in rest.split())
        elif word == "COPY":
            *sources, into = rest.split()
            for source in sources:
                copied(source, work, into)
        elif word == "RUN":
            began = time.monotonic()
            told = rest.replace("/opt/", f"{room}/opt/")
            subprocess.run(["sh", "-euc", told], cwd=work, env=environment, check=True, stdout=subprocess.DEVNULL)
            print(f"step: {time.monotonic() - began:.0f} s: {rest[:90]}")


def copied(source: str, work: Path, into: str) -> None:
    """A `COPY` of what git tracks or would, as .dockerignore leaves caches out."""
    if (ROOT / source).is_dir():
        shutil.copytree(ROOT / source, work / into, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    else:
        shutil.copy(ROOT / source, work / into)


def run(command: list[str], root: Path, data: Path, place: str, path: str, log: Any, port: str) -> None:
    """Without keys it must refuse; with one it must answer and stop when told."""
    shell = {"PATH": f"{path}:/usr/bin:/bin", "HOME": str(Path(place).parent), "PYTHONDONTWRITEBYTECODE": "1",
             "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE", "FORECAST_MODEL": f"{place}/model"}  # fmt: skip
    asked = (root, data, place, shell, log)
    assert shut_in(command, *asked).wait(120) == 2, "reached from outside, and without keys, it must refuse"
    assert shut_in(["touch", str(Path(place).parent / "x")], *asked).wait(20) == 1, "the rest is not read only"
    with (data.parent / "key").open("wb") as kept:
        words = ["forecast", "keys", "add", "--name", "proof", "--scope", "admin"]
        assert shut_in(words, root, data, place, shell, kept).wait(60) == 0
    key = next(line for line in (data.parent / "key").read_text().split() if line.startswith("fk_"))
    with served(command, asked) as (process, began):
        until_ready(port, process)
        print(f"ready: {time.monotonic() - began:.1f} s after its start")
        ask(port, key)
        print(f"memory: {resident(process.pid)} MB after {ASKED} answers")
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        code = process.wait(20)
        assert code in (0, -signal.SIGTERM), f"stopped with {code}"
        print(f"stopped: {time.monotonic() - began:.1f} s after SIGTERM")


@contextmanager
def served(command: list[str], asked: Any) -> Iterator[tuple[subprocess.Popen[bytes], float]]:
    """A running service, gone afterwards whatever happens."""
    began = time.monotonic()
    process = shut_in(command, *asked)
    try:
        yield process, began
    finally:
        process.kill()
        process.wait()


def until_ready(port: str, process: subprocess.Popen[bytes]) -> None:
    """Waits for /readyz."""
    for _ in range(600):
        assert process.poll() is None, "the service ended; it should have answered"
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2)
            return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise AssertionError("not ready within a minute")


def ask(port: str, key: str) -> None:
    """The service's own example, many times; all from the champion, all recorded."""
    base = f"http://127.0.0.1:{port}"
    described = json.load(urllib.request.urlopen(base + "/openapi.json", timeout=10))
    body = described["paths"]["/v1/forecasts"]["post"]["requestBody"]["content"]["application/json"]["examples"]
    example = next(one["value"] for one in body.values() if "history" in one["value"]["series"][0])
    raw = json.dumps({**example, "store": True}).encode()
    headers = {"content-type": "application/json", "authorization": f"Bearer {key}"}
    for _ in range(ASKED):
        asked = urllib.request.Request(base + "/v1/forecasts", raw, headers)
        answer = json.load(urllib.request.urlopen(asked, timeout=30))
        assert (answer["rung"], answer["recorded"]) == ("champion", True), answer
    assert refused(urllib.request.Request(base + "/v1/forecasts", raw, {"content-type": "application/json"})) == 401


def refused(request: urllib.request.Request) -> int | None:
    """The status of a refusal; None where it was answered."""
    try:
        urllib.request.urlopen(request, timeout=30)
    except urllib.error.HTTPError as error:
        return error.code
    return None


def resident(pid: int) -> int:
    """Memory of a process, in MB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmRSS"))) // 1024


def megabytes(folder: Path) -> int:
    """What a folder takes on the disk."""
    done = subprocess.run(["du", "-sm", str(folder)], capture_output=True, text=True, check=True)
    return int(done.stdout.split()[0])


if __name__ == "__main__":
    main()
