"""YAML that means what is written."""

import contextlib
import math

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from coinsorter.files.strict_yaml import MAX_LEVELS, MAX_VALUES, compose_yaml, dump_yaml, load_yaml

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**17), 10**17)
    | st.floats(allow_nan=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@pytest.mark.parametrize(
    "text, value",
    [
        ("12", 12),
        ("-5", -5),
        ("0x40", 64),
        ("0", 0),
        ("0.5", 0.5),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("true", True),
        ("False", False),
        ("~", None),
        ("", None),
        (".inf", math.inf),
    ],
)
def test_values_of_yaml_1_2(text, value):
    read = load_yaml(f"a: {text}")["a"]
    assert read == value and type(read) is type(value)


@pytest.mark.parametrize(
    "text",
    [
        "0250",
        "08",
        "007",
        "0777.5",
        "0o17",
        "0b11",
        "1_000",
        "1:30",
        "1:30:00",
        "2026-11-26",
        "no",
        "yes",
        "on",
        "off",
        "y",
        "=",
        "<<",
        "9" * 5000,
    ],
)
def test_what_only_yaml_1_1_takes_for_a_value_is_text(text):
    assert load_yaml(f"a: {text}") == {"a": text}


@pytest.mark.parametrize(
    "text, why",
    [
        ("a: !!int 0250", "tags are not read"),
        ("a: !!python/name:os.system x", "tags are not read"),
        ("!x\na: 1", "tags are not read"),
        ("a: 1\nb: 2\na: 3", "'a' is given twice"),
        ("? [1, 2]\n: 3", "no plain value"),
        ("a: *b", "undefined alias"),
        ("a: &a [*a]", "nested too deeply"),
        ("[" * 100_000, "nested too deeply"),
        ("{a: " * 100_000, "nested too deeply"),
        ("- " * 50_000, "nested too deeply"),
        ("[" + "1, " * MAX_VALUES + "]", "too many values"),
        ("a: 1\n---\nb: 2", "another document"),
    ],
)
def test_what_is_refused(text, why):
    with pytest.raises(yaml.YAMLError, match=why):
        load_yaml(text)


def test_aliases_count_each_time_they_are_named():
    ninefold = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    for level in range(1, 9):
        names = ", ".join([f"*a{level - 1}"] * 9)
        ninefold.append(f"a{level}: &a{level} [{names}]")
    with pytest.raises(yaml.YAMLError, match="too many values"):
        load_yaml("\n".join(ninefold))
    assert load_yaml("a: &x [1]\nb: *x") == {"a": [1], "b": [1]}


def test_the_deepest_level_is_read_and_one_more_is_not():
    assert load_yaml("[" * MAX_LEVELS + "1" + "]" * MAX_LEVELS)
    with pytest.raises(yaml.YAMLError, match="nested too deeply"):
        load_yaml("[" * (MAX_LEVELS + 1) + "1" + "]" * (MAX_LEVELS + 1))


@settings(deadline=None)
@given(PLAIN)
def test_what_pyyaml_writes_is_read_as_it_was(value):
    assert load_yaml(yaml.safe_dump(value)) == value


@settings(deadline=None)
@given(PLAIN)
@example(["1e5", "1.5e5", "0250", "no", "1:30", "0x1F", "TRUE", "~", ".NaN", "2026-11-26"])
@example(["\x85", "\u2028x", "caf\xe9"])
def test_what_is_written_is_read_as_it_was_by_us_and_by_pyyaml(value):
    text = dump_yaml(value, 100)
    assert load_yaml(text) == yaml.safe_load(text) == value


@settings(deadline=None)
@given(st.text() | st.binary())
def test_whatever_the_text_it_is_values_or_a_yaml_error(text):
    with contextlib.suppress(yaml.YAMLError):
        load_yaml(text)


def list_marks(node) -> list:
    """The value and the place of each node, in its order."""
    here = [(node.value if isinstance(node.value, str) else "", str(node.start_mark.index))]
    children = [child for child in node.value if not isinstance(node.value, str)]
    flat = [part for child in children for part in (child if isinstance(child, tuple) else [child])]
    return here + [mark for child in flat for mark in list_marks(child)]


COMMENTED = st.lists(
    st.sampled_from(
        [
            "a: 1",
            "  b: x # c",
            "# only",
            "  # in",
            "",
            "   ",
            "c: [1, # d",
            "  2]",
            "- e",
            "d: '# f'",
        ]
    ),
    min_size=1,
    max_size=8,
).map("\n".join)


@settings(deadline=None)
@given(COMMENTED)
def test_comments_are_skipped_as_pyyaml_skips_them(text):
    try:
        expected = yaml.compose(text, yaml.SafeLoader)
    except yaml.YAMLError as error:
        with pytest.raises(yaml.YAMLError) as caught:
            compose_yaml(text)
        assert caught.value.problem_mark.index == error.problem_mark.index
        return
    found = compose_yaml(text)
    assert (found is None) is (expected is None)
    assert found is None or list_marks(found) == list_marks(expected)
