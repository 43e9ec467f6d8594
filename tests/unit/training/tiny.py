"""A recipe that trains on next to nothing."""

RECIPE = {
    "name": "tiny",
    "seed": 3,
    "source": "frames",
    "px_per_mm": 4.0,
    "hold_out": 0.5,
    "labels": [
        {"name": "bit_10", "value": 0.1, "currency": "CRN", "diameter_mm": 18.0},
        {"name": "crown_20", "value": 20, "currency": "CRN", "diameter_mm": 27.5},
    ],
    "pictures": {"foreign": 16},
    "motifs": ["ring"],
    "classifier": {"width": 8, "epochs": 12, "batch": 16, "repeat": 6},
    "autoencoder": {"width": 4, "code": 8, "epochs": 2, "batch": 16},
    "relief": {"per_label": 5},
    "inspector": {"width": 4, "epochs": 2, "batch": 16, "repeat": 1},
}
