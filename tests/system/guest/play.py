"""Stands in for the machine.

`play.py ready` is ready and pings no watchdog; `play.py unless VERSION` is ready unless that
release is in use.
"""

import os
import socket
import sys
import time
from pathlib import Path

if sys.argv[1] == "unless" and sys.argv[2] in str(Path("/opt/coinsorter/current").readlink()):
    sys.exit("this release does not start")
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as to:
    to.connect(os.environ["NOTIFY_SOCKET"])
    to.send(b"READY=1")
    while True:
        to.send(b"WATCHDOG=1" if sys.argv[1] == "unless" else b"STATUS=stuck")
        time.sleep(1)
