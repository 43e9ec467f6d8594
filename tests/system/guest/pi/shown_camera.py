"""Makes the virtual camera deliver as a real one does: every frame once, in turn, with its time.

libcamera's virtual pipeline completes a request as soon as it is queued, with the frame of the last
four times or the next one, and with the time of that. A request without a new frame is released
here; one with a new frame is handed on when its time has come, RIG_FPS of them a second. While
/run/silent exists nothing is handed on. A .pth file imports this at every start of Python; it
changes picamera2 when that is imported.
"""

import importlib.abc
import importlib.util
import os
import sys
import threading
import time
from pathlib import Path

NAME, SILENT = "picamera2.picamera2", Path("/run/silent")
FRAME_S = 1 / float(os.environ.get("RIG_FPS", "30"))
SAMPLE = slice(None, None, 1009)  # of a frame's bytes: enough to distinguish it from the one before


class Finder(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name != NAME or self not in sys.meta_path:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        execute = spec.loader.exec_module
        spec.loader.exec_module = lambda module: (execute(module), change(module.Picamera2))
        return spec


def change(camera):
    from libcamera import FrameMetadata
    from picamera2.request import CompletedRequest

    status = FrameMetadata.Status
    status.__eq__ = lambda one, other: (
        int(other) == int(status.Success)
    )  # nothing sets it: what is there is by chance
    hand_on, read_metadata = camera.process_requests, CompletedRequest.get_metadata

    class Own(threading.local):
        handing = False

    own = Own()

    def waiting(self):
        """Completed requests; for the thread that hands one on, that one alone."""
        return [self._handed] if own.handing else self.__dict__.setdefault("_completed", [])

    def wait(self, requests):
        if not own.handing:
            self._completed = requests

    def next_completed(self):
        with self._requestslock:
            return self._completed.pop(0) if self._completed else None

    def process_requests(self, display):
        while request := next_completed(self):
            if SILENT.exists():
                request.release()
                return
            frame = bytes(request.make_buffer("main")[SAMPLE])
            if frame == self.__dict__.get("_frame"):
                request.release()
                continue
            self._frame, self._shown_s = (
                frame,
                max(time.monotonic(), self.__dict__.get("_shown_s", 0.0) + FRAME_S),
            )
            time.sleep(max(0.0, self._shown_s - time.monotonic()))
            request.shown_ns, self._rig_next, self._handed = int(1e9 * self._shown_s), 0.0, request
            own.handing = True
            hand_on(self, display)
            own.handing = False

    camera._requests, camera.process_requests = property(waiting, wait), process_requests
    CompletedRequest.get_metadata = lambda self: {
        **read_metadata(self),
        "SensorTimestamp": self.shown_ns,
    }


sys.meta_path.insert(0, Finder())
