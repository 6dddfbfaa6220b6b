"""Known weaknesses of what constraints.txt pins, as PyPI and OSV list them.

    python .ci/audit.py [constraints.txt]

Ends with 0 where every pin was looked up and none is weak, with 1 where one is, and with 2 where some or all could not
be looked up: nothing found is not the same as not looked. OSV is asked about what PyPI's index does not tell; a mirror
of it is named by PIP_AUDIT_OSV_URL.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

SERVICES = ("pypi", "osv")
NONE, WEAK, NOT_LOOKED = 0, 1, 2


def main(path: str = "constraints.txt") -> int:
    """Asks pip-audit, service by service, and reads its answers with care."""
    with open(path, encoding="utf-8") as file:
        pinned = [line for line in file if "==" in line and not line.startswith("#")]
    found: list[list[dict[str, Any]]] = []
    for service in SERVICES:
        listed, why = look(path, service)
        if why:
            print(f"audit: {service} could not be asked ({why})")
        found.append(listed)
        if listed and not any("skip_reason" in one for one in listed):
            break
    code, lines = judge(merged(found), len(pinned))
    print("\n".join(lines))
    return code


def look(path: str, service: str) -> tuple[list[dict[str, Any]], str]:
    """pip-audit's list of packages as one service knows them; empty with a reason where it does not answer."""
    command = [sys.executable, "-m", "pip_audit", "--requirement", path, "--no-deps", "--disable-pip"]
    done = subprocess.run(
        [*command, "--vulnerability-service", service, "--format=json", "--progress-spinner=off"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    try:
        listed: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        return [], (done.stderr.strip().splitlines() or ["no answer"])[-1][:200]
    return listed, ""


def merged(found: list[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Of each package what the first service said that looked it up."""
    told: dict[str, dict[str, Any]] = {}
    for listed in found:
        for one in listed:
            if one["name"] not in told or "skip_reason" in told[one["name"]]:
                told[one["name"]] = one
    return list(told.values())


def judge(listed: list[dict[str, Any]], pinned: int | None = None) -> tuple[int, list[str]]:
    """Exit code and lines for pip-audit's list of packages, of so many that are pinned."""
    pinned = len(listed) if pinned is None else pinned
    looked = [one for one in listed if "skip_reason" not in one]
    weak = [one for one in looked if one.get("vulns")]
    lines = [
        f"{one['name']} {one['version']}: {weakness['id']}, mended in {', '.join(weakness['fix_versions']) or '-'}"
        for one in weak
        for weakness in one["vulns"]
    ]
    if weak:
        lines.append(f"audit: {len(weak)} of {len(looked)} packages that were looked up have known weaknesses")
    elif looked:
        lines.append(f"audit: none of {len(looked)} packages that were looked up has a known weakness")
    if missing := pinned - len(looked):
        some = ", ".join(sorted(one["name"] for one in listed if one not in looked)[:8])
        lines.append(
            f"audit: NOT DONE for {missing} of {pinned} pinned packages{f' ({some} ...)' if some else ''}: no service "
            "that answers here has advisories of them. Run it where pypi.org itself or api.osv.dev can be reached."
        )
    return (WEAK if weak else NOT_LOOKED if missing else NONE), lines


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2]))
