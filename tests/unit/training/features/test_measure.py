"""measure: measures of coins whose shape, colour and texture are known."""

import cv2
import numpy as np
import pytest

from coinsorter.vision.scale import ScalePlane
from tests.conftest import draw_disc, needs_training

needs_training()

from coinsorter.training.features import measure
from coinsorter.training.features.feature_table import find_outline
from coinsorter.training.features.measure import family_of, measure_coin


def measure_pixels(pixels: np.ndarray, plane: ScalePlane | None = None) -> dict[str, float]:
    circle = find_outline(pixels, None, crops=False)
    return measure_coin(pixels, circle, measure.STANDARD, plane, outline_measured=True)


def draw_bimetal(turn_deg: float = 0.0) -> np.ndarray:
    """A steel core in a brass ring, with a bar across the core."""
    pixels = np.full((240, 320, 3), 90, np.uint8)
    for radius, colour in ((44, (200, 160, 70)), (29, (170, 172, 175))):
        cv2.circle(pixels, (160 * 16, 120 * 16), radius * 16, colour, -1, cv2.LINE_AA, 4)
    along = 20 * np.array([np.cos(np.radians(turn_deg)), np.sin(np.radians(turn_deg))])
    start, end = (
        np.rint((np.array([160, 120]) + side * along) * 16).astype(int).tolist() for side in (-1, 1)
    )
    cv2.line(pixels, start, end, (90, 90, 90), 4, cv2.LINE_AA, 4)
    return pixels


def test_a_disc_is_as_large_as_it_is_drawn_all_three_ways():
    """80 px across, and 20 mm at 4 px per mm; the smallest circle around it includes its blur."""
    measures = measure_pixels(draw_disc(160.3, 120.7, 40), ScalePlane(4.0, 0.0, 0.0, 320, 240))
    for name in ("outline", "area", "enclosing"):
        size_px = measures[f"size_{name}_diameter_px"]
        assert size_px == pytest.approx(80, rel=0.035)
        assert measures[f"size_{name}_diameter_mm"] == pytest.approx(size_px / 4)
    assert measures["size_outline_diameter_px"] == pytest.approx(80, rel=0.01)


def test_without_an_outline_there_is_no_size_and_no_roundness():
    pixels = draw_disc(160, 120, 40)
    circle = find_outline(pixels, None, crops=False)
    measures = measure_coin(pixels, circle, measure.STANDARD, None, outline_measured=False)
    assert not any(family_of(name) == "size" for name in measures)
    assert "shape_roundness" not in measures
    assert "shape_circularity" in measures


def test_a_round_disc_is_rounder_than_a_bent_one():
    straight = measure_pixels(draw_disc(160, 120, 40))
    bent = measure_pixels(draw_disc(160, 120, 40, ratio=0.8))
    for name in ("shape_roundness", "shape_circularity"):
        assert bent[name] < straight[name] - 0.005
    assert straight["shape_eccentricity"] < 0.2
    assert bent["shape_eccentricity"] == pytest.approx((1 - 0.8**2) ** 0.5, abs=0.05)
    assert straight["shape_solidity"] > 0.97


def test_two_metals_show_in_core_and_ring():
    bimetal, plain = measure_pixels(draw_bimetal()), measure_pixels(draw_disc(160, 120, 40))
    core, ring = (bimetal[f"colour_{zone}_lab_b_mean"] for zone in ("core", "ring"))
    assert ring > core + 25
    assert bimetal["colour_core_minus_ring_lab_b"] == pytest.approx(core - ring)
    assert bimetal["colour_core_to_ring_delta_e"] > 25
    assert plain["colour_core_to_ring_delta_e"] < 3
    assert bimetal["profile_ring_1_lab_l"] < bimetal["profile_ring_4_lab_l"]  # the bar is dark


def test_how_a_coin_lies_changes_no_measure_much():
    straight, turned = (measure_pixels(draw_bimetal(turn)) for turn in (0, 37))
    for name in (
        "colour_core_lab_l_mean",
        "profile_ring_2_lab_l",
        "texture_glcm_homogeneity_at_1_px",
    ):
        assert straight[name] == pytest.approx(turned[name], rel=0.05)


def test_the_light_is_not_measured():
    """A darker image of coin and belt is the same coin."""
    bright = measure_pixels(draw_bimetal())
    dim = measure_pixels((draw_bimetal() * 0.7).astype(np.uint8))
    name = "colour_ring_lab_l_mean"
    assert bright[name] == pytest.approx(dim[name], abs=1.5)


def test_texture_and_edges_tell_a_struck_coin_from_a_blank():
    blank = draw_disc(160, 120, 40)
    struck = blank.copy()
    for y in range(95, 150, 6):
        cv2.line(struck, (140, y), (180, y), (60, 60, 60), 2)
    plain, ruled = measure_pixels(blank), measure_pixels(struck)
    entropy = "edge_orientation_entropy_bits"
    contrast = "texture_glcm_contrast_at_1_px"
    assert ruled[contrast] > 5 * plain[contrast]
    assert ruled["edge_density_share"] > 0.1 > 0.01 > plain["edge_density_share"]
    assert ruled[entropy] < plain[entropy] - 0.5  # all lines point one way
    assert plain[entropy] <= np.log2(measure.ORIENTATIONS)
    assert sum(ruled[f"texture_lbp_{n}_share"] for n in range(10)) == pytest.approx(1)


def test_every_measure_belongs_to_a_family():
    measures = measure_pixels(draw_disc(160, 120, 40))
    families = {"size", "shape", "colour", "profile", "texture", "edge"}
    assert {family_of(name) for name in measures} == families
