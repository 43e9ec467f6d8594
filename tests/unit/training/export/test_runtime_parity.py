"""runtime_parity: every installed runtime answers, by the machine's own quarter turns."""

import numpy as np

from coinsorter.recognition.classifier import Classifier
from coinsorter.recognition.runtime import list_runtimes
from tests.conftest import needs_training

needs_training()

from coinsorter.training.export.runtime_parity import classify_in_runtimes


def test_every_runtime_names_the_label_that_the_machine_names(crowns):
    crops = crowns.golden.crops
    answers = classify_in_runtimes(crowns.classifier, crops, crowns.crop)
    assert list(answers) == list_runtimes()
    for runtime, labels in answers.items():
        classifier = Classifier(crowns, runtime)
        logits = np.array([classifier.gather_evidence(crop).logits for crop in crops])
        assert labels.tolist() == logits[:, :-1].argmax(axis=1).tolist()
