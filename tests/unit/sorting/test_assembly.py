"""assembly: the settings of config.yaml and a bundle decide what the machine accepts and seeks."""

import pytest

from coinsorter.sorting.assembly import (
    build_drop_sensors,
    build_rules,
    build_scale_follower,
    build_schedule,
    build_search,
)
from coinsorter.sorting.ports import NoPanel
from coinsorter.vision.detect import SEARCH_MARGIN


def test_coins_that_have_no_bin_are_rejected_by_that_reason(build_true, config):
    simulated = build_true(bins=[b for b in config.bins if b.name != "crown_5"])
    result = simulated.run()
    labels = [rider.item.label for rider in simulated.belt.riders]
    assert result.rejected.get("no-bin", 0) == labels.count("crown_5") > 0
    assert result.ledger_matches


def test_one_bin_may_take_several_labels(build_true, config):
    labels = [label for b in config.bins for label in b.labels]
    shared = config.bins[0].model_copy(update={"name": "all", "labels": labels})
    result = build_true(count=15, bins=[shared]).run()
    assert result.wrong == result.foreign_accepted == 0
    assert result.correct >= result.genuine_alone - 1
    assert result.bins["all"][0] == result.correct


def test_stricter_settings_reject_more(build, config):
    strict = config.acceptance.model_copy(update={"max_diameter_error_mm": 0.0})
    assert build(count=3, acceptance=strict).run().correct == 0


def test_every_label_has_thresholds_and_the_bin_of_the_settings(config, crowns):
    rules = build_rules(config, crowns)
    assert rules.thresholds == dict(crowns.thresholds), "the shipped settings tighten nothing"
    assert rules.bins == {label: b.name for b in config.bins for label in b.labels}
    assert rules.reject_bin == config.reject_bin


def test_the_search_reaches_beyond_the_smallest_and_the_largest_coin(config, crowns):
    search = build_search(crowns, config.scale)
    diameters_mm = [label.diameter_mm for label in crowns.labels.values()]
    smallest, largest = SEARCH_MARGIN
    low_px_per_mm, high_px_per_mm = config.scale.compute_px_per_mm_range()
    assert search.min_radius_px == low_px_per_mm * (smallest * min(diameters_mm)) / 2
    assert search.max_radius_px == high_px_per_mm * (largest * max(diameters_mm)) / 2


def test_the_schedule_has_a_site_for_every_flap_in_the_belts_order(config):
    schedule = build_schedule(config)
    assert {site.bin for site in schedule.sites} == {b.name for b in config.bins}
    distances_mm = [site.distance_mm for site in schedule.sites]
    assert distances_mm == sorted(distances_mm)
    travel_s = {b.name: b.flap.travel_ms / 1000 for b in config.bins}
    assert {site.bin: site.travel_s for site in schedule.sites} == travel_s


def test_only_bins_with_a_sensor_are_watched(config):
    flap = config.bins[0].flap.model_copy(update={"drop_pin": 4, "drop_ms": 250.0})
    watched = config.bins[0].model_copy(update={"flap": flap})
    settings = config.model_copy(update={"bins": [watched, *config.bins[1:]]})
    assert build_drop_sensors(settings, NoPanel()).within_s == {watched.name: 0.25}
    assert build_drop_sensors(settings, None).within_s == {}, "no panel reads the sensors"


@pytest.mark.parametrize("follow", [True, False])
def test_the_scale_is_followed_only_where_the_settings_say_so(config, crowns, follow):
    belt = config.belt.model_copy(update={"follow_scale": follow})
    follower = build_scale_follower(config.model_copy(update={"belt": belt}), crowns)
    assert (follower is not None) is follow
