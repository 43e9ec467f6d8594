"""New numbers in config.yaml: they are in force, and everything else in the file stays as it is."""

import shutil
from pathlib import Path

import pytest
import yaml

from coinsorter.config.edit import replace_numbers
from coinsorter.errors import ConfigError
from tests.conftest import CONFIG


@pytest.mark.parametrize(
    "text",
    [
        "belt: {speed_mm_s: 250}",
        "belt: {}",
        "belt:\n  # how fast\n  speed_mm_s: 250\n",
        "",
        "belt:\n    px_per_mm: 4.0 # rough\n",
    ],
)
def test_options_that_config_yaml_leaves_out_are_added(tmp_path, text):
    bins = "bins: [{name: all, labels: [a], flap: {pin: 5, distance_mm: 400}}]\n"
    path = tmp_path / "config.yaml"
    path.write_text(f"{text}\n{bins}" if text else bins)
    changed = replace_numbers(
        path, {("belt", "px_per_mm"): 3.25, ("belt", "tilt_along_percent"): -7.0}
    )
    expected = yaml.safe_load(path.read_text())
    expected["belt"] = {**expected.get("belt", {}), "px_per_mm": 3.25, "tilt_along_percent": -7.0}
    assert yaml.safe_load(changed) == expected
    assert changed.count("#") == text.count("#")


def test_numbers_that_would_be_a_mistake_are_not_written(tmp_path):
    settings = shutil.copy(CONFIG, tmp_path)
    with pytest.raises(
        ConfigError,
        match=r"(?s)there would be mistakes:.*config.yaml:19: belt.px_per_mm: 70 is above 50",
    ):
        replace_numbers(Path(settings), {("belt", "px_per_mm"): 70})
