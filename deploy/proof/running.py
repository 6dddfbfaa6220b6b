"""A command as a container runs it: uid 10001, no capabilities, nothing writable but /tmp and one folder."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import IO

UID = "10001"
# Arguments: root, folder that may be written, where it lies below root, then the command.
_SHUT = """
root=$1 data=$2 place=$3; shift 3
mount --bind "$data" "$data"
[ "$root" = / ] && mount -o remount,bind,ro / || { mount --bind "$root" "$root"; mount -o remount,bind,ro "$root"; }
mount -t tmpfs tmpfs "$root/tmp"
if [ "$root" != / ]; then
  mount -t proc proc "$root/proc"; mount --bind /dev "$root/dev"; mount --bind "$data" "$root$place"
fi
exec chroot "$root" "$@"
"""


def shut_in(
    command: list[str], root: Path, data: Path, place: str, environment: Mapping[str, str], log: IO[bytes]
) -> subprocess.Popen[bytes]:
    """Starts it; the process is the command itself, so signals reach it.

    Args:
        command: to run, from the folder `place`.
        root: `/`, or an unpacked image.
        data: the only folder on the disk that it may write.
        place: where the command finds that folder.
        environment: all that it has of one.
        log: takes what it says.
    """
    plain = [f"{name}={value}" for name, value in environment.items()]
    less = ["setpriv", "--reuid", UID, "--regid", UID, "--clear-groups", "--bounding-set=-all", "--no-new-privs"]
    inner = [*less, "env", "-i", "-C", str(Path(place).parent), *plain, *command]
    outer = ["unshare", "-m", "--propagation", "private", "sh", "-euc", _SHUT, "sh", str(root), str(data), place]
    return subprocess.Popen([*outer, *inner], stdout=log, stderr=log)
