"""How often a camera that falls silent is opened again before the machine gives up."""

from dataclasses import dataclass

#: How many silences in a row end with the camera opened again; after one more, only a new process
#: may help. Rule of thumb.
MAX_REOPENINGS = 3
#: Frames after which a reopened camera counts as steady, so that the count starts again: 17 s at
#: 60 frames per second. Rule of thumb.
STEADY_FRAMES = 1000


@dataclass
class CameraLadder:
    """Counts how often a silent camera was opened again, and says when to give up."""

    _frames: int = 0
    _reopenings: int = 0

    def count_frame(self) -> None:
        """Counts a frame since the camera was opened."""
        self._frames += 1

    def may_reopen(self) -> bool:
        """Counts a silence; whether the camera may be opened once more."""
        is_steady = self._frames >= STEADY_FRAMES
        self._reopenings = 1 if is_steady else self._reopenings + 1
        self._frames = 0
        return self._reopenings <= MAX_REOPENINGS
