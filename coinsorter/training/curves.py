"""How a training went, as a picture: loss and accuracy by epoch."""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt  # noqa: E402

SEEN, HELD_BACK = "#1f6f8b", "#d1603d"


def draw(histories: dict[str, list[dict[str, float]]], path: Path) -> None:
    """Draws each network's history (one dict of figures an epoch, "val_" for held-back crops) into one PNG."""
    measures = [(name, measure) for name, history in histories.items() for measure in ("loss", "accuracy") if history and measure in history[0]]
    figure, panels = plt.subplots(1, len(measures), figsize=(4.2 * len(measures), 3.2), squeeze=False, layout="constrained")
    for panel, (name, measure) in zip(panels[0], measures):
        epochs = range(1, len(histories[name]) + 1)
        for key, colour, what in ((measure, SEEN, "trained on"), (f"val_{measure}", HELD_BACK, "held back")):
            if key in histories[name][0]:
                panel.plot(epochs, [figures[key] for figures in histories[name]], color=colour, label=what)
        panel.set(title=f"{name}: {measure}", xlabel="epoch", ylim=(0, 1.02) if measure == "accuracy" else (0, None))
        panel.grid(alpha=0.25)
        panel.spines[["top", "right"]].set_visible(False)
        panel.legend(frameon=False)
    figure.savefig(path, dpi=110)
    plt.close(figure)
