"""How much memory training takes by the number of its pictures: `python -m benchmarks.memory [COUNT ...]` (1000 and 10000; 100000 takes half an hour).

Two labels of simulated coins, as ready crops with a little noise each, go through the whole of `coinsorter-train bundle` with one epoch of the
smallest networks, in a process of its own; printed is the most memory that was resident in it.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np
import yaml

from coinsorter.simulator import coins
from coinsorter.simulator.simulated_camera import Optics, SimulatedCamera

LABELS = "bit_10", "crown_20"
MODELS = 20  # pictures of each label that all others are made from
SMALL = {"width": 4, "epochs": 1, "repeat": 1}
PROGRAM = """
import resource, sys
from coinsorter.training import cli
status = cli.main(sys.argv[1:])
print("MB", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
sys.exit(status)
"""


def draw(folder: Path, count: int) -> None:
    rng = np.random.default_rng(1)
    for label in LABELS:
        (folder / label).mkdir(parents=True)
        camera = SimulatedCamera(Optics(128, 128, 4.0, 0.375), rng)
        models = [
            camera.render_frame(
                [(camera.draw_item(coins.make_genuine_coin(rng, label)), 0.0, 0.0)], 30.0 * n
            ).astype(np.int16)
            for n in range(MODELS)
        ]
        for number in range(count // 2):
            noisy = models[number % MODELS] + rng.integers(-3, 4, models[0].shape, np.int16)
            cv2.imwrite(
                str(folder / label / f"{number:06d}.png"), np.clip(noisy, 0, 255).astype(np.uint8)
            )


def most_memory_mb(count: int) -> float:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        draw(folder / "pictures", count)
        labels = [
            {"name": label, "value": 1, "currency": "CRN", "diameter_mm": 18.0 + 9 * place}
            for place, label in enumerate(LABELS)
        ]
        knobs = {
            "classifier": SMALL,
            "autoencoder": {**SMALL, "code": 4},
            "inspector": SMALL,
            "relief": {"per_label": 20},
            "pictures": {"foreign": 50},
        }
        (folder / "recipe.yaml").write_text(
            yaml.safe_dump({"name": "memory", "source": "crops", "labels": labels, **knobs})
        )
        command = [
            sys.executable,
            "-c",
            PROGRAM,
            "bundle",
            str(folder / "pictures"),
            "--recipe",
            str(folder / "recipe.yaml"),
            "--out",
            str(folder / "out"),
        ]
        told = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True
        ).stdout
        return float(told.split("MB")[-1])


def main() -> None:
    for count in map(int, sys.argv[1:] or ("1000", "10000")):
        print(f"{count} pictures: at most {most_memory_mb(count):.0f} MB", flush=True)


if __name__ == "__main__":
    main()
