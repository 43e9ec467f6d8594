"""What several commands read first: bundles that fit the settings, bins, models that are whole."""

import shutil

import pytest

from coinsorter.commands._inputs import load_matching_bundle, select_bins
from coinsorter.config.load import load_config
from coinsorter.errors import ConfigError, InputError
from tests.conftest import CONFIG, CROWNS


def test_without_a_name_every_bin_is_selected(config):
    assert select_bins(config, []) == [bin_.name for bin_ in config.bins]


def test_named_bins_are_selected_in_the_order_of_their_names(config):
    assert select_bins(config, ["bit_20", "bit_10"]) == ["bit_20", "bit_10"]


def test_an_unknown_bin_is_refused_with_those_there_are(config):
    with pytest.raises(InputError, match="gold: no such bin; there are bit_10, "):
        select_bins(config, ["bit_10", "gold"])


def test_the_bundle_is_loaded_that_the_settings_name(config):
    assert load_matching_bundle(config, CONFIG).path == CROWNS


def test_a_label_that_the_bundle_does_not_have_is_a_mistake(shipped_settings):
    text = shipped_settings.read_text()
    assert "labels: [crown_1]" in text
    shipped_settings.write_text(text.replace("labels: [crown_1]", "labels: [gold]"))
    with pytest.raises(ConfigError, match="gold"):
        load_matching_bundle(load_config(shipped_settings), shipped_settings)


@pytest.mark.parametrize(
    "harm",
    [
        lambda p: p.unlink(),
        lambda p: p.write_bytes(p.read_bytes()[:5000]),
        lambda p: p.write_bytes(p.read_bytes()[::-1]),
    ],
)
@pytest.mark.parametrize("arguments", [["run", "--simulate"], ["replay", "PHOTOGRAPHS"], ["bench"]])
def test_a_harmed_model_is_one_clear_line_and_78(command, photographs, tmp_path, harm, arguments):
    shutil.copytree(CROWNS, tmp_path / "models" / "crowns")
    shutil.copy(CONFIG, tmp_path)
    harm(tmp_path / "models" / "crowns" / "classifier.tflite")
    words = [photographs if word == "PHOTOGRAPHS" else word for word in arguments]
    status, _, err = command(*words, "--config", tmp_path / "config.yaml")
    assert status == 78 and err.count("\n") == 1 and "classifier.tflite" in err
