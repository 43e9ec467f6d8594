"""How long a live camera may be silent, and which of its frames are not to be used."""

from coinsorter.config.schema import CameraSettings

#: First frames, which are dropped: exposure and gain take effect some frames after they are set.
WARM_UP_FRAMES = 8
#: Frames in a row that may be missing before the machine goes to safety: the loop that closes flaps
#: waits for frames, and what passed an open flap in the meantime is called uncertain.
SILENCE_FRAMES = 15
#: Seconds that each of the first frames may take.
START_S = 2.0


def compute_max_silence_s(settings: CameraSettings) -> float:
    """The longest time without a frame that is no failure, seconds."""
    return SILENCE_FRAMES / settings.frames_per_s
