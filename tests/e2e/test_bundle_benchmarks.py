"""The studies of changed and of damaged bundles, in their quick forms."""

from benchmarks import bundle_changes, bundle_damage


def test_changes_of_one_value_in_bundle_yaml_are_refused_by_name(capsys):
    assert bundle_changes.main(["--changes", "108"]) == 0
    printed = capsys.readouterr().out
    assert printed.count("36 of 36 changes refused by name") == 3


def test_damaged_bundles_are_refused_by_name_or_answer_as_before(capsys):
    assert bundle_damage.main(["--bundles", "80"]) == 0
    printed = capsys.readouterr().out
    assert "refused by name (nothing repaired)" in printed and "BAD" not in printed
