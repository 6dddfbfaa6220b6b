"""The soak's report, as docs/soak.md holds it."""

from __future__ import annotations

import os
import platform
import statistics
from datetime import date
from typing import TYPE_CHECKING

from benchmarks.soak_house import House
from benchmarks.soak_judged import Finding
from benchmarks.soak_world import BROKEN, CHANGE, DEAD, JUMP, SIZES, ZONE, World
from forecast import __version__, clock

if TYPE_CHECKING:
    from benchmarks.soak import Told


def written(world: World, told: Told, found: list[Finding], house: House) -> str:
    """The page (Markdown)."""
    done, good = len(told.seconds), all(one.good for one in found)
    bad = sum(not one.good for one in found)
    verdict = (
        ("all as it should be" if done == world.days else "as it should be so far")
        if good
        else f"{bad} of {len(found)} findings are not as they should be"
    )
    began = "" if done == world.days else f" The other {world.days - done} of {world.days} days were not begun."
    if any("broken off" in accident for accident in told.accidents):
        began += " The time of a day that was broken off is not counted."
    last = world.delivery_days[max(done - 1, 0)]

    def reached(day: date) -> str:
        return "" if day <= last else " (not reached)"

    deaths = [line.strip() for line in house.lines if "is started again" in line]
    lines = [
        "# A simulated quarter", "",
        f"Written by `make soak DAYS={world.days}` on {clock.now():%Y-%m-%d}, version {__version__}, "
        f"{os.cpu_count()} cores (load {os.getloadavg()[2]:.0f} over the last 15 minutes: other work ran beside), "
        f"Python {platform.python_version()}.", "",
        f"**{done} delivery days in {told.minutes:.1f} minutes: {verdict}.**{began} "
        f"A day took {statistics.median(told.seconds):.0f} s (median), the longest {max(told.seconds):.0f} s; "
        f"`forecast up` was ready after {', '.join(f'{one:.0f} s' for one in told.starts)}.", "",
        "| | | found |", "|---|---|---|",
        *[f"| {'yes' if one.good else '**NO**'} | {one.what} | {one.told} |" for one in found], "",
        "## What was done", "",
        "A real `forecast up` (Prefect's server and worker, MLflow, the service), and a driver that reads off the "
        f"schedules of the deployments and starts each run that is due in the simulated days ({world.first} to "
        f"{world.delivery_days[-1]}, {ZONE}) through Prefect's API, with the simulated moment as its parameter `now`. "
        f"{len(SIZES)} series by the hour: the sample and siblings made from it. A ridge is the candidate of all "
        "retrainings. Readings come by a drop folder on the next morning. Gates are held in the simulated time.",
        "",
        "- Late: every ninth day the readings of one series come two days later.",
        f"- Break: the level of `{BROKEN}` is {JUMP:g} times as high from {world.break_day} on"
        f"{reached(world.break_day)}.",
        f"- Dead meter: `{DEAD}` says nothing from {world.death_day} on{reached(world.death_day)}.",
        f"- Clock: it goes forward on {CHANGE}, a day of 23 hours{reached(CHANGE)}.",
        *[f"- {accident}." for accident in told.accidents],
        *[f"- Monitoring on {asked}." for asked in told.asked], "",
        "What the keeper said of processes that died:", "",
        *[f"    {line.split(' (/')[0]}" for line in deaths], "",
    ]  # fmt: skip
    return "\n".join(lines)
