"""Jobs that processes do in tests of `parallel`: what a process runs has to be in a module."""

import os
import signal
import sys
import time
from pathlib import Path

import cv2
from threadpoolctl import threadpool_info

from coinsorter.errors import InputError
from coinsorter.training.parallel import open_workers


def square(number: int) -> int:
    return number * number


def name_process(_: object) -> int:
    return os.getpid()


def count_threads(_: object) -> tuple[int, int]:
    """Threads of OpenCV, and of NumPy's linear algebra at most."""
    return cv2.getNumThreads(), max(pool["num_threads"] for pool in threadpool_info())


def refuse(number: int) -> int:
    raise InputError(f"{number}: cannot be used; name another")


def kill_once(folder: Path) -> str:
    """Kills the process at the first call, and does the work at the second."""
    mark = folder / "killed"
    if not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return "done"


def kill_always(_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def linger(folder: Path) -> None:
    """Leaves its process id in a folder and waits for the end."""
    (folder / str(os.getpid())).touch()
    time.sleep(600)


if __name__ == "__main__":
    from coinsorter.command_line import end_command, run_program

    folder = Path(sys.argv[1])

    def main(words: list[str]) -> int:
        def work() -> None:
            with open_workers(2, None) as workers:
                list(workers.run(linger, [folder, folder], isolated=True))

        return end_command("linger", work)

    sys.exit(run_program("linger", lambda: main))
