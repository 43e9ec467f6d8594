"""calibrate: a technician lays coins under the camera, and config.yaml gets the scale that is there."""

import json
import re
import shutil

import cv2
import numpy as np
import pytest
import yaml

from coinsorter.config.edit import replace_numbers
from coinsorter.config.load import load_config
from coinsorter.errors import ConfigError, InputError
from coinsorter.records import Coin
from coinsorter.tools import calibrate_belt
from coinsorter.vision.scale import ScalePlane
from tests.conftest import CONFIG, CROWNS, draw_disc

TRUTH = ScalePlane(3.7, -0.06, 0.03, 640, 480, barrel=-0.04)
DIAMETERS = {"bit_10": 18.0, "crown_1": 22.5, "crown_20": 27.5}
PLACES = [(x, y) for x in (70, 240, 400, 570) for y in (70, 240, 410)]


def photograph(folder, plane: ScalePlane = TRUTH, places=PLACES) -> None:
    """Discs of known size under a camera of known scale."""
    for number, (x, y) in enumerate(places):
        label, diameter_mm = list(DIAMETERS.items())[number % len(DIAMETERS)]
        (folder / label).mkdir(parents=True, exist_ok=True)
        picture = draw_disc(x, y, plane.at(x, y) * diameter_mm / 2, 640, 480)
        cv2.imwrite(str(folder / label / f"{number:03}.png"), picture[..., ::-1])


@pytest.fixture
def settings(tmp_path):
    """A copy of config.yaml that finds the shipped bundle."""
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG.read_text())
    shutil.copytree(CROWNS, tmp_path / "models" / "crowns")
    return path


@pytest.fixture
def coins(tmp_path):
    photograph(tmp_path / "coins")
    return tmp_path / "coins"


def test_the_diameters_here_are_the_bundles(crowns):
    assert {name: crowns.labels[name].diameter_mm for name in DIAMETERS} == DIAMETERS


def test_the_scale_is_found_and_config_yaml_is_left_alone(command, settings, coins):
    before = settings.read_text()
    status, out, _ = command("calibrate", "view", coins, "--config", settings, "--json")
    found = json.loads(out)
    assert status == 0 and found["coins"] == 12 and found["left_out"] == {} and not found["written"]
    tilts = found["tilt_along_percent"] / 100, found["tilt_across_percent"] / 100
    plane = ScalePlane(found["px_per_mm"], *tilts, 640, 480, found["barrel_percent"] / 100)
    for x, y in ((70, 70), (570, 70), (320, 240), (70, 410), (570, 410)):
        assert plane.at(x, y) == pytest.approx(TRUTH.at(x, y), rel=0.008)
    assert found["scatter"] < 0.01 and found["known_to"] < 0.01 and settings.read_text() == before


def test_written_numbers_are_in_force_and_every_comment_is_still_there(command, settings, coins):
    before = settings.read_text().splitlines()
    status, out, _ = command("calibrate", "view", coins, "--config", settings, "--write")
    after = settings.read_text().splitlines()
    assert status == 0 and f"{settings}: written" in out
    assert load_config(settings).scale.at(70, 70) == pytest.approx(TRUTH.at(70, 70), rel=0.008)
    changed = [(a, b) for a, b in zip(before, after) if a != b]
    assert (
        len(before) == len(after)
        and len(changed) == 4
        and all(a.split("#")[1] == b.split("#")[1] for a, b in changed)
    )


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


def test_what_belongs_into_config_yaml_is_told_option_by_option_and_what_to_do_with_it(
    command, settings, coins
):
    out = command("calibrate", "view", coins, "--config", settings)[1].splitlines()
    assert out[0].startswith("12 coins; one diameter is off by ")
    assert [line.partition(": ")[0] for line in out[1:5]] == [
        "belt.px_per_mm",
        "belt.tilt_along_percent",
        "belt.tilt_across_percent",
        "belt.barrel_percent",
    ]
    assert out[5:] == [f"{settings}: put these numbers into it, or run this again with --write"]


def test_numbers_that_would_be_a_mistake_are_not_written(settings):
    with pytest.raises(
        ConfigError,
        match=r"(?s)there would be mistakes:.*config.yaml:19: belt.px_per_mm: 70 is above 50",
    ):
        replace_numbers(settings, {("belt", "px_per_mm"): 70})


def test_folders_may_have_a_labels_other_names(command, settings, coins):
    facts = settings.parent / "models" / "crowns" / "bundle.yaml"
    said = yaml.safe_load(facts.read_text())
    (label,) = [one for one in said["labels"] if one["name"] == "bit_10"]
    label["also"] = ["ten"]
    facts.write_text(yaml.safe_dump(said, sort_keys=False))
    (coins / "bit_10").rename(coins / "ten")
    found = json.loads(command("calibrate", "view", coins, "--config", settings, "--json")[1])
    assert found["coins"] == 12 and found["left_out"] == {}


def test_pictures_that_cannot_be_used_are_left_out_with_their_reasons(command, settings, coins):
    (coins / "token").mkdir()
    cv2.imwrite(str(coins / "token" / "1.png"), draw_disc(300, 200, 40, 640, 480))
    cv2.imwrite(str(coins / "bit_10" / "empty.png"), np.full((480, 640, 3), 90, np.uint8))
    cv2.imwrite(str(coins / "bit_10" / "small.png"), draw_disc(160, 120, 40))
    (coins / "bit_10" / "broken.png").write_bytes(b"no picture")
    two = np.maximum(draw_disc(200, 200, 33, 640, 480), draw_disc(420, 260, 33, 640, 480))
    cv2.imwrite(str(coins / "bit_10" / "two.png"), two)
    found = json.loads(command("calibrate", "view", coins, "--config", settings, "--json")[1])
    why = {path.rpartition("/")[2]: reason for path, reason in found["left_out"].items()}
    assert found["coins"] == 12 and why == {
        "1.png": "folder token is named as no label of the bundle",
        "empty.png": "shows no coin",
        "two.png": "shows 2 coins, not one",
        "small.png": "is 320x240, the camera's frames are 640x480",
        "broken.png": "cannot be read",
    }


@pytest.mark.parametrize(
    "places, complaint",
    [
        (
            PLACES[:11],
            "11 images show a lone coin of a known label; at least 12 are needed, all over the view",
        ),
        (
            [(70 + 3 * i, 70 + 2 * i) for i in range(14)],
            r"14 coins give the scale at the lower (left|right) corner to [\d.]+ % only",
        ),
    ],
)
def test_too_few_coins_or_all_in_one_place_are_refused(
    command, settings, tmp_path, places, complaint
):
    photograph(tmp_path / "few", places=places)
    status, out, err = command("calibrate", "view", tmp_path / "few", "--config", settings)
    assert status == 66 and not out and re.search(complaint, err)


def test_mixed_up_folders_are_noticed(command, settings, coins):
    (coins / "bit_10").rename(coins / "other")
    (coins / "crown_20").rename(coins / "bit_10")
    (coins / "other").rename(coins / "crown_20")
    status, _, err = command("calibrate", "view", coins, "--config", settings)
    assert status == 66 and "are their folders named rightly?" in err


def test_a_camera_that_was_moved_far_needs_a_hint(command, settings, tmp_path):
    near = ScalePlane(8.0, 0.0, 0.0, 640, 480)
    photograph(
        tmp_path / "near", near, [(x, y) for x in (130, 320, 510) for y in (130, 200, 280, 350)]
    )
    assert command("calibrate", "view", tmp_path / "near", "--config", settings)[0] == 66
    found = json.loads(
        command(
            "calibrate", "view", tmp_path / "near", "--config", settings, "--px-per-mm", 8, "--json"
        )[1]
    )
    assert found["px_per_mm"] == pytest.approx(8.0, rel=0.006)


def rode_by(speed_mm_s: float, alone: bool = True) -> Coin:
    return Coin(1, (), (), 23.0, 0, 0, 0, speed_mm_s, 1.0, 9, alone=alone)


def test_the_belts_speed_is_that_of_the_median_coin_and_its_tolerance_allows_for_all_but_outliers():
    rng = np.random.default_rng(1)
    coins_ = (
        [rode_by(speed) for speed in rng.normal(240, 2.4, 200)]
        + [rode_by(90), rode_by(500)]
        + [rode_by(100, alone=False)] * 100
    )
    found = calibrate_belt.measure_belt_speed(coins_)
    assert found.coins == 202 and found.speed_mm_s == pytest.approx(240, rel=0.002)
    assert found.relative_mad_std == pytest.approx(
        0.01, rel=0.15
    ) and found.tolerance == pytest.approx(3 * found.relative_mad_std)


def test_an_even_belt_is_still_given_some_tolerance():
    assert calibrate_belt.measure_belt_speed([rode_by(250.0)] * 8).tolerance == 0.005


@pytest.mark.parametrize(
    "coins_, complaint",
    [
        ([rode_by(250)] * 7 + [rode_by(250, alone=False)] * 9, "7 coins rode by alone"),
        ([rode_by(s) for s in range(100, 500, 40)], "% apart"),
    ],
)
def test_coins_that_tell_no_speed_are_refused(coins_, complaint):
    with pytest.raises(InputError, match=complaint):
        calibrate_belt.measure_belt_speed(coins_)
