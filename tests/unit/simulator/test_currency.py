"""The invented currency."""

from coinsorter.simulator import currency


def test_the_currency_of_the_shipped_bundle_is_the_simulators(crowns):
    assert {name: label.diameter_mm for name, label in crowns.labels.items()} == {
        c.label: c.diameter_mm for c in currency.DENOMINATIONS
    }
