"""How much memory training takes by the number of its images: `python -m benchmarks.memory`.

Arguments are the numbers of images; by default 1000 and 10000. 100000 takes half an hour. Two
labels of simulated coins, as ready crops with a little noise each, go through the whole of
`coinsorter-train bundle` with one epoch of the smallest networks, in a process of its own. Printed
is the most memory that was resident in it.
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

#: Labels of the coins, with the diameters that the recipe says, mm.
DIAMETERS_MM = {"bit_10": 18.0, "crown_20": 27.0}
#: Rendered images of each label; all others are made from them.
RENDERED = 20
#: Grey levels that noise may add or take away.
NOISE = 3
OPTICS = Optics(128, 128, 4.0, 0.375)
SMALL = {"width": 4, "epochs": 1, "repeat": 1}
#: The keys of the recipe that make training short.
SETTINGS = {
    "classifier": SMALL,
    "autoencoder": {**SMALL, "code": 4},
    "inspector": SMALL,
    "relief": {"per_label": 20},
    "pictures": {"foreign": 50},
}
PROGRAM = """
import resource, sys
from coinsorter.training import train_cli
status = train_cli.main(sys.argv[1:])
print("MB", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
sys.exit(status)
"""


def main() -> None:
    for count in map(int, sys.argv[1:] or ("1000", "10000")):
        print(f"{count} images: at most {measure_memory_mb(count):.0f} MB", flush=True)


def measure_memory_mb(count: int) -> float:
    """The most memory that training on so many images holds, MB of 1024 * 1024 bytes."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write_images(folder / "images", count)
        write_recipe(folder / "recipe.yaml")
        return train(folder)


def write_images(folder: Path, count: int) -> None:
    rng = np.random.default_rng(1)
    for label in DIAMETERS_MM:
        (folder / label).mkdir(parents=True)
        rendered = render_coins(label, rng)
        for number in range(count // len(DIAMETERS_MM)):
            image = rendered[number % RENDERED]
            noisy = image + rng.integers(-NOISE, NOISE + 1, image.shape, np.int16)
            path = folder / label / f"{number:06d}.png"
            cv2.imwrite(str(path), np.clip(noisy, 0, 255).astype(np.uint8))


def render_coins(label: str, rng: np.random.Generator) -> list[np.ndarray]:
    camera = SimulatedCamera(OPTICS, rng)
    images = []
    for number in range(RENDERED):
        sprite = camera.draw_item(coins.make_genuine_coin(rng, label))
        frame = camera.render_frame([(sprite, 0.0, 0.0)], 30.0 * number)
        images.append(frame.astype(np.int16))
    return images


def write_recipe(path: Path) -> None:
    labels = [
        {"name": label, "value": 1, "currency": "CRN", "diameter_mm": diameter_mm}
        for label, diameter_mm in DIAMETERS_MM.items()
    ]
    recipe = {"name": "memory", "source": "crops", "labels": labels, **SETTINGS}
    path.write_text(yaml.safe_dump(recipe))


def train(folder: Path) -> float:
    """Trains a bundle in a process of its own; the memory that it held, MB."""
    options = ["--recipe", str(folder / "recipe.yaml"), "--out", str(folder / "out")]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, "bundle", str(folder / "images"), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        check=True,
    )
    return float(done.stdout.split("MB")[-1])


if __name__ == "__main__":
    main()
