"""The quick protocols: baselines beside the peers' published figures, minutes and not hours.

Run with `make bench DATA=FOLDER` or `python benchmarks/protocols.py FOLDER`; a protocol whose file the
folder lacks is left out, and named. One network or ensemble under one protocol: `forecast bench vic-a --data FILE`.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

VICTORIA = "victoria_2012_2014_halfhourly.parquet"
FILES = {"vic-a": VICTORIA, "vic-b": VICTORIA, "vic-dec": VICTORIA, "tet": "tetouan_2017_10min.parquet"}
RECIPES = "ridge,seasonal_naive_day,seasonal_naive_week"


def main() -> int:
    """Runs `forecast bench` for every protocol whose data is there; the exit code is that of the worst."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", help="Folder that holds the data files.")
    parser.add_argument("--recipe", default=RECIPES, help="Recipes, comma-separated.")
    options = parser.parse_args()
    if options.folder is None or not options.folder.is_dir():
        print(f"no data folder {options.folder or ''}: make bench DATA=FOLDER", file=sys.stderr)
        return 2
    return max(bench(name, options.folder / file, options.recipe) for name, file in FILES.items())


def bench(name: str, data: Path, recipe: str) -> int:
    """One protocol in a process of its own."""
    if not data.is_file():
        print(f"{name} is left out: no file {data}", flush=True)
        return 0
    command = [sys.executable, "-m", "forecast", "bench", name, "--data", str(data), "--recipe", recipe]
    return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    raise SystemExit(main())
