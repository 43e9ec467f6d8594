"""What a training leaves on the disk, so that it goes on after a kill as if there had been none."""

import json
import shutil
import warnings
from pathlib import Path

import keras

from coinsorter.files.atomic import OWN_WORK, replace_file
from coinsorter.training.progress import ReportEpoch


class EpochLog(keras.callbacks.Callback):  # type: ignore[misc]  # Keras ships no types
    """Reports every epoch and logs it beside the checkpoint.

    history: each epoch's figures by name, those of an earlier run included. path: of the log; None:
    there is none.
    """

    def __init__(self, report: ReportEpoch, path: Path | None) -> None:
        super().__init__()
        self._report = report
        self._path = path
        self.history = read_epochs(path)

    def report_all(self) -> None:
        """Reports the last epoch of an earlier run."""
        if self.history:
            self._report(len(self.history), self.history[-1])

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Called by Keras."""
        figures = {name: float(value) for name, value in (logs or {}).items()}
        self.history = [*self.history[:epoch], figures]
        if self._path:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.write_text("".join(json.dumps(line) + "\n" for line in self.history))
        self._report(epoch + 1, figures)


def read_epochs(path: Path | None) -> list[dict[str, float]]:
    """The figures of each epoch that was logged, up to a line that a kill has torn."""
    history: list[dict[str, float]] = []
    if path is None or not path.is_file():
        return history
    for line in path.read_text().splitlines():
        try:
            history.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return history


class DropoutSeeds(keras.callbacks.Callback):  # type: ignore[misc]  # Keras ships no types
    """Lets a resumed training drop out what it would have, had it not been killed.

    Checkpoints do not hold how far the counters of Keras' random seeds were.
    """

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Called by Keras."""
        for variable in self.model.variables:
            if variable.path.endswith("seed_generator_state"):
                seed = keras.ops.convert_to_numpy(variable)[0]
                variable.assign([seed, int(self.model.optimizer.iterations)])


def save_weights(model: keras.Model, path: Path) -> None:
    """Writes a network's weights, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replace_file(path, OWN_WORK) as part:
        model.save_weights(part)


def load_weights(model: keras.Model, path: Path) -> None:
    """Reads what `save_weights` wrote; the optimizer's state in it is not needed any more."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Skipping variable loading for optimizer")
        model.load_weights(path)


def count_done_epochs(folder: Path) -> int:
    """After how many whole epochs a training was left; a half-written checkpoint is deleted."""
    path = folder / "training_metadata.json"
    try:
        return int(json.loads(path.read_text())["epoch"])
    except FileNotFoundError:
        return 0
    except (json.JSONDecodeError, KeyError):
        shutil.rmtree(folder)
        return 0
