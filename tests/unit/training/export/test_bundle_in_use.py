"""bundle_in_use: the bundle that a machine's settings name is not replaced without force."""

import pytest

from coinsorter.errors import InputError
from coinsorter.training.export.bundle_in_use import claim_bundle, find_settings_of


@pytest.fixture
def bundle(tmp_path):
    folder = tmp_path / "models" / "mine"
    folder.mkdir(parents=True)
    (tmp_path / "config.yaml").write_text("runtime:\n  bundle: models/mine\n")
    return folder


def test_the_settings_near_a_bundle_say_that_it_is_used(bundle, tmp_path):
    assert find_settings_of(bundle) == tmp_path / "config.yaml"
    with pytest.raises(InputError, match=r"is the bundle that .*config.yaml names .*--force"):
        claim_bundle(bundle, force=False)
    assert claim_bundle(bundle, force=True).force


def test_a_link_to_it_is_the_same_bundle(bundle, tmp_path, monkeypatch):
    (tmp_path / "link").symlink_to(bundle)
    monkeypatch.chdir(tmp_path)
    assert find_settings_of(tmp_path / "link") is not None


@pytest.mark.parametrize("text", ["", "runtime: 3", "{", "runtime: {bundle: models/other}"])
def test_other_settings_and_damaged_ones_name_no_bundle(bundle, tmp_path, text):
    (tmp_path / "config.yaml").write_text(text)
    assert find_settings_of(bundle) is None
    assert claim_bundle(bundle, False, tmp_path / "images").inputs == (tmp_path / "images",)
