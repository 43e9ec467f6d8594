"""Every file, folder and link of the system as JSON.

By path: kind and mode, owner, group, when it was changed, and a hash of its content.
"""

import hashlib
import json
import os
import stat
import sys
from pathlib import Path

# What the kernel shows, what a running system writes all the time, and what the test brought.
ELSEWHERE = {
    "/proc",
    "/sys",
    "/dev",
    "/run",
    "/rig",
    "/root",
    "/tmp",
    "/var/log",
    "/var/tmp",
    "/var/lib/systemd",
    "/var/cache",
}


def snapshot() -> dict[str, list]:
    entries = {}
    for folder, folders, files in os.walk("/"):
        folders[:] = [name for name in folders if f"{folder.rstrip('/')}/{name}" not in ELSEWHERE]
        for name in [*folders, *files]:
            path = f"{folder.rstrip('/')}/{name}"
            entries[path] = describe(path)
    return entries


def describe(path: str) -> list:
    status = os.lstat(path)
    content = ""
    if stat.S_ISLNK(status.st_mode):
        content = str(Path(path).readlink())
    elif stat.S_ISREG(status.st_mode):
        with Path(path).open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
    return [
        stat.filemode(status.st_mode),
        status.st_uid,
        status.st_gid,
        status.st_mtime_ns,
        content,
    ]


json.dump(snapshot(), sys.stdout)
