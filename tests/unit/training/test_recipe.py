"""recipe: what is written is read within its bounds, dumped by its keys and changed by settings."""

import os
from dataclasses import dataclass, field
from typing import Any

import pytest
import yaml

from coinsorter.errors import InputError
from coinsorter.recognition import bundle
from coinsorter.training.dataset.dataset import Row
from coinsorter.training.dataset.splits import TEST
from coinsorter.training.recipe import Recipe, load_recipe, make_default_recipe
from tests.conftest import ROOT

LABELS = [
    {"name": "bit_10", "value": 0.1, "currency": "CRN", "diameter_mm": 18.0},
    {"name": "crown_20", "value": 20, "currency": "CRN", "diameter_mm": 27.5},
]
RECIPE = {"name": "tiny", "source": "frames", "labels": LABELS, "inspector": None}
WRITTEN = sorted((ROOT / "models").glob("*.yaml"))
SHIPPED = [path for path in WRITTEN if path.with_suffix("").is_dir()]


@pytest.fixture
def write(tmp_path):
    """Writes a recipe with changes; returns its file."""

    def write_recipe(**changes: Any):
        path = tmp_path / "recipe.yaml"
        path.write_text(yaml.safe_dump(RECIPE | changes))
        return path

    return write_recipe


@pytest.mark.parametrize("path", WRITTEN, ids=lambda path: path.name)
def test_every_recipe_can_be_read(path):
    assert load_recipe(path).name == path.stem


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_a_shipped_bundle_was_made_with_the_recipe_beside_it(path):
    content = bundle.load_bundle(path.with_suffix("")).manifest.recipe
    assert Recipe.model_validate(content) == load_recipe(path)


def test_a_recipe_is_kept_by_the_keys_of_its_file():
    recipe = Recipe.model_validate(
        RECIPE
        | {
            "folds": 3,
            "asked": 2,
            "pictures": {"foreign": 5},
            "inspector": {"epochs": 4},
            "slack": {"quality": 0.2},
            "diameter_spread": 0.02,
            "classifier": {"held_back": 0.3},
        }
    )
    assert recipe.max_folds == 2
    assert recipe.images.foreign == 5
    assert recipe.defect_detector.epochs == 4
    assert recipe.margin.quality == 0.2
    assert recipe.diameter_std == 0.02
    assert recipe.classifier.validation_share == 0.3
    content = recipe.to_dict()
    assert content["asked"] == 2
    assert content["pictures"]["foreign"] == 5
    assert content["inspector"]["epochs"] == 4
    assert content["slack"]["quality"] == 0.2
    assert content["diameter_spread"] == 0.02
    assert content["classifier"]["held_back"] == 0.3
    assert Recipe.model_validate(content) == recipe


def test_fields_may_be_written_by_their_names_too(write):
    recipe = load_recipe(write(folds=3, max_folds=1, margin={"quality": 0.1}))
    assert recipe.max_folds == 1
    assert recipe.margin.quality == 0.1


def test_images_are_found_by_every_name_of_a_label():
    recipe = Recipe.model_validate(
        RECIPE | {"labels": [LABELS[0], LABELS[1] | {"also": ["twenty"]}]}
    )
    assert recipe.find_names() == {
        "bit_10": "bit_10",
        "crown_20": "crown_20",
        "twenty": "crown_20",
    }


@pytest.mark.parametrize(
    "change, complaint",
    [
        ({"colour": 3}, "colour"),
        ({"classifier": {"width": 9}}, "classifier.width"),
        ({"classifier": {"held_back": 0.5}}, "classifier.held_back"),
        ({"labels": [LABELS[0], LABELS[1] | {"also": ["bit_10"]}]}, "a name of more than one"),
        ({"labels": [LABELS[0] | {"taught": 3}, LABELS[1]]}, "training trains all"),
        ({"group_pattern": "("}, "is no regular expression"),
        ({"same_coins": ["["]}, "is no regular expression"),
        ({"px_per_mm": float("inf")}, "px_per_mm"),
    ],
)
def test_a_wrong_value_is_named(write, change, complaint):
    path = write(**change)
    with pytest.raises(InputError) as caught:
        load_recipe(path)
    assert str(caught.value).startswith(f"{path}:")
    assert complaint in str(caught.value)


def test_a_recipe_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match=r"none.yaml: cannot be read: No such file"):
        load_recipe(tmp_path / "none.yaml")


@pytest.mark.parametrize("content", [b"name: [", b"\xff\xfe\x00", b"name: x: y"])
def test_a_file_that_is_no_yaml_is_named(tmp_path, content):
    path = tmp_path / "recipe.yaml"
    path.write_bytes(content)
    with pytest.raises(InputError, match="is not YAML"):
        load_recipe(path)


def test_settings_take_the_place_of_what_is_written(write):
    path = write(classifier={"epochs": 5})
    recipe = load_recipe(path, ["classifier.epochs=7", "crop.size_px=96", "name=other"])
    assert (recipe.classifier.epochs, recipe.crop.size_px, recipe.name) == (7, 96, "other")


def test_a_setting_puts_in_a_part_that_the_recipe_leaves_out(write):
    assert load_recipe(write()).defect_detector is None
    assert load_recipe(write(), ["inspector.epochs=2"]).defect_detector.epochs == 2


@pytest.mark.parametrize(
    "setting",
    ["classifier.epochs", "=3", "name.first=3", "classifier.epochs=[", "nothing.epochs=3"],
)
def test_a_setting_that_is_none_is_refused(write, setting):
    with pytest.raises(InputError):
        load_recipe(write(), [setting])


@pytest.mark.parametrize("epochs, is_valid", [(1, True), (0, False)])
def test_a_setting_has_the_bounds_of_what_is_written(write, epochs, is_valid):
    setting = [f"classifier.epochs={epochs}"]
    if is_valid:
        assert load_recipe(write(), setting).classifier.epochs == epochs
    else:
        with pytest.raises(InputError, match=r"classifier\.epochs"):
            load_recipe(write(), setting)


@dataclass
class PreparedCoins:
    """What a recipe asks of a data set: two labels at 4 px/mm."""

    crops: bool = False
    labels: list[str] = field(default_factory=lambda: ["bit_10", "crown_20"])

    @property
    def manifest(self) -> dict[str, Any]:
        return {"crops": self.crops}

    def kept_rows(self) -> list[Row]:
        return [
            Row(label="bit_10", radius_px=36.0),
            Row(label="crown_20", radius_px=55.0),
            Row(label="crown_20", radius_px=500.0, split=TEST),
        ]


DIAMETERS_MM = {"bit_10": 18.0, "crown_20": 27.5}


def test_the_default_recipe_has_the_scale_of_the_prepared_frames():
    recipe = make_default_recipe(PreparedCoins(), DIAMETERS_MM, "mine")
    assert recipe.source == "frames"
    assert recipe.px_per_mm == 4.0  # the test split's coin is not looked at
    assert recipe.by_extent
    assert [label.diameter_mm for label in recipe.labels] == [18.0, 27.5]
    assert recipe.defect_detector is not None


def test_the_default_recipe_of_ready_crops_trains_one_fold():
    recipe = make_default_recipe(PreparedCoins(crops=True), DIAMETERS_MM, "mine")
    assert recipe.source == "crops"
    assert (recipe.folds, recipe.max_folds) == (5, 1)
    assert not recipe.crop.correct_light


def test_default_recipes_do_not_change_each_other():
    make_default_recipe(PreparedCoins(), DIAMETERS_MM, "mine", ["classifier.epochs=1"])
    assert make_default_recipe(PreparedCoins(), DIAMETERS_MM, "mine").classifier.epochs == 30


@pytest.mark.parametrize(
    "diameters_mm, complaint",
    [
        ({"bit_10": 18.0}, "has no size for crown_20; .*bit_10=MM,crown_20=MM"),
        (DIAMETERS_MM | {"crown_50": 30.0}, "names crown_50, which the data set has not"),
    ],
)
def test_every_label_and_no_other_has_a_diameter(diameters_mm, complaint):
    with pytest.raises(InputError, match=complaint):
        make_default_recipe(PreparedCoins(), diameters_mm, "mine")


@pytest.mark.parametrize("name", ["asked", "max_folds"])
def test_a_setting_takes_the_place_of_the_keys_other_name(name):
    written = load_recipe(ROOT / "models" / "euro.yaml", [f"{name}=1"])
    assert written.max_folds == 1


@pytest.mark.parametrize("name", ["pictures", "images"])
def test_a_setting_within_a_part_takes_either_name(name):
    written = load_recipe(ROOT / "models" / "euro.yaml", [f"{name}.foreign=16"])
    assert written.images.foreign == 16


@pytest.mark.parametrize(
    "old, new, complaint",
    [
        ("seed: 4", "seed: 007", "4: seed: 007 begins with a zero: write 7"),
        ("seed: 4", "seed: 1_000", "4: seed: '1_000' is not a whole number: write 1000"),
        ("seed: 4", "seed: true", "4: seed: true is not a whole number"),
        ("epochs: 5", "epochs: 5.0", "5: classifier.epochs: 5.0 is not a whole number: write 5"),
        ("epochs: 5", "epochs: '5'", "is not a whole number: write 5 without quotes"),
        (
            "wrong: 0.1",
            "wrong: 0,1",
            "6: budget.1: is no option; decimals are written with a point",
        ),
        ("wrong: 0.1", "wrong: 1", "6: budget.wrong: 1 is not below 1"),
        ("seed: 4", "sed: 4", "4: sed: is no option; did you mean seed?"),
        ("seed: 4", "seed: 4\nseed: 5", "5: seed: is given twice, first in line 4; delete one of"),
        ("seed: 4", "seed: !!int 4", "4: (file): is not YAML: tags are not read"),
    ],
)
def test_a_recipe_means_what_is_written(tmp_path, old, new, complaint):
    text = "name: a\nsource: crops\nlabels: []\nseed: 4\nclassifier: {epochs: 5}\n"
    text += "budget: {wrong: 0.1}\n"
    path = tmp_path / "recipe.yaml"
    path.write_text(text)
    assert load_recipe(path).seed == 4
    path.write_text(text.replace(old, new))
    with pytest.raises(InputError) as caught:
        load_recipe(path)
    assert str(caught.value).startswith(f"{path}:") and complaint in str(caught.value)


@pytest.mark.parametrize(
    "setting, complaint",
    [
        ("classifier.epochs=010", "classifier.epochs: 010 begins with a zero: write 10"),
        ("budget.wrong=0,01", "budget.wrong: '0,01' is not a number: write 0.01"),
        ("max_folds=2.0", "asked: 2.0 is not a whole number: write 2"),
        ("crop.true_size=yes", "crop.true_size: 'yes' is neither true nor false: write true"),
        ("epochs=3", "epochs: is no option here; it is one of classifier"),
        ("inspector.width=none", "inspector.width: 'none' is not a whole number"),
        ("folds=none", "folds: 'none' is not a whole number: write null"),
        ("asked=never", "asked: 'never' is not a whole number: write null"),
        ("crop.size_px=70", "crop.size_px: 70 is no multiple of 16"),
    ],
)
def test_a_setting_means_what_is_written(write, setting, complaint):
    path = write(asked=1)
    with pytest.raises(InputError) as caught:
        load_recipe(path, [setting])
    assert str(caught.value).startswith(f"--set {setting}: {complaint}")


def test_a_word_in_a_recipe_is_the_text_that_is_written(write):
    labels = [LABELS[0] | {"also": ["ten"]}]
    path = write(labels=labels)
    path.write_text(path.read_text().replace("- ten", "- 010\n  - no"))
    assert load_recipe(path, ["name=no"]).name == "no"
    assert load_recipe(path).labels[0].aliases == ("010", "no")


def test_a_pipe_is_no_recipe(tmp_path):
    pipe = tmp_path / "recipe.yaml"
    os.mkfifo(pipe)
    with pytest.raises(InputError, match=r"cannot be read: it is a pipe, not a plain file; name a"):
        load_recipe(pipe)
