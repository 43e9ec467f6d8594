"""Trains every network under a distribution strategy and prints how well it went.

A program of its own: devices are divided before anything is computed.
"""

import numpy as np
import tensorflow as tf

cpu, *_ = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)

from coinsorter.training.fitting import fit
from tests.unit.training.fitting.coloured import SPEC, make_coloured_samples, make_recipe

samples = make_coloured_samples()
recipe = make_recipe(
    classifier={"width": 8, "epochs": 6, "batch": 8, "repeat": 4},
    autoencoder={"width": 4, "code": 8, "epochs": 1},
    inspector={"width": 4, "epochs": 1},
)
reports: list[object] = []
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
with strategy.scope():
    model = fit.fit_classifier(samples, 2, SPEC, recipe, lambda *_: None).model
    fit.fit_autoencoder(samples, SPEC, recipe, lambda *report: reports.append(report))
    fit.fit_defect_detector(
        samples, SPEC, recipe, recipe.defect_detector, lambda *report: reports.append(report)
    )
logits = model.predict(samples.crops[:].astype(np.float32), verbose=0)
is_right = logits[:, :-1].argmax(axis=1) == samples.labels
print(strategy.num_replicas_in_sync, is_right.mean(), len(reports))
