"""Known weaknesses of what constraints.txt pins, as PyPI lists them: ends with 1 where there are any.

    python .ci/audit.py [constraints.txt]

Where no list of advisories can be reached it says so and ends with 2: nothing found is not the same as not looked.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any


def main(path: str = "constraints.txt") -> int:
    """Asks pip-audit, and reads its answer with care."""
    command = [sys.executable, "-m", "pip_audit", "--requirement", path, "--no-deps", "--disable-pip"]
    done = subprocess.run(
        [*command, "--format=json", "--progress-spinner=off"], capture_output=True, text=True, check=False
    )
    try:
        listed = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        last = (done.stderr.strip().splitlines() or ["no answer"])[-1]
        print(f"audit: pip-audit could not look ({last[:300]}). It needs https://pypi.org; run it where that answers.")
        return 2
    code, lines = judge(listed)
    print("\n".join(lines))
    return code


def judge(listed: list[dict[str, Any]]) -> tuple[int, list[str]]:
    """Exit code and lines for pip-audit's list of packages."""
    skipped = [one for one in listed if "skip_reason" in one]
    weak = [one for one in listed if one.get("vulns")]
    lines = [
        f"{one['name']} {one['version']}: {weakness['id']}, mended in {', '.join(weakness['fix_versions']) or '-'}"
        for one in weak
        for weakness in one["vulns"]
    ]
    looked = len(listed) - len(skipped)
    lines.append(f"audit: {looked} of {len(listed)} pinned packages were looked up, {len(weak)} have known weaknesses")
    if weak:
        return 1, lines
    if skipped:
        some = ", ".join(sorted(one["name"] for one in skipped)[:8])
        lines.append(
            f"audit: no advisories were found for {len(skipped)} ({some} ...): the index that answers here has none. "
            "Run it where https://pypi.org itself can be reached."
        )
        return 2, lines
    return 0, lines


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2]))
