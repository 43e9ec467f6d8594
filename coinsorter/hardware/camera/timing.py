"""How long a live camera may be silent, and which of its frames are not to be used."""

from coinsorter.config.schema import CameraSettings

# The first frames are dropped: exposure and gain take effect only some frames after they are set.
WARM_UP_FRAMES = 8
# Without so many frames in a row the machine goes to safety: the loop that closes flaps waits for frames. What passed an open flap in the
# meantime is called uncertain.
SILENCE_FRAMES = 15
START_S = 2.0  # that each of the first frames may take


def compute_max_silence_s(settings: CameraSettings) -> float:
    """The longest time without a frame, in seconds."""
    return SILENCE_FRAMES / settings.frames_per_s
