"""image_files: a data set made again keeps, and never replaces, what others put into its folder."""

import shutil
from pathlib import Path

import pytest

from tests.unit.training.dataset.helpers import files, listed, prepare, refused

OTHERS = {
    "pictures/bit_10/retouched.png": b"an evening's work",
    "pictures/notes.txt": b"which coins are missing",
    "pictures/drafts/coin.xcf": b"GIMP",
    "thesis.txt": b"three years of work",
}


def put_others() -> None:
    for name, content in OTHERS.items():
        path = Path("set") / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def test_what_others_put_into_a_data_set_stays_when_it_is_made_again(photographs):
    prepare(photographs)
    put_others()
    assert prepare(photographs)["made"] is False
    assert prepare(photographs, "--seed", 2, "--force")["seed"] == 2
    left = files("set")
    assert {name: left.get(name) for name in OTHERS} == OTHERS


def test_what_others_put_into_an_unfinished_data_set_stays(stopped, photographs):
    put_others()
    prepare(photographs)
    left = files("set")
    assert {name: left.get(name) for name in OTHERS} == OTHERS


def test_nothing_of_an_earlier_data_set_is_left(photographs):
    prepare(photographs)
    (photographs / "bit_10").rename(photographs / "bit_20")
    prepare(photographs, "--force")
    assert not Path("set/pictures/bit_10").exists()


def test_a_set_that_was_begun_with_joined_sides_is_begun_again(collection, capsys):
    table = listed(collection)
    prepare(table, "--join-sides")
    prepare(table, "--force")
    assert not list(Path("set/pictures").rglob("*-both.png"))


@pytest.mark.parametrize("again", [(), ("--force",)])
def test_a_file_of_others_with_an_images_name_is_not_replaced(photographs, capsys, again):
    prepare(photographs)
    name = next(Path("set/pictures").rglob("*.png"))
    shutil.rmtree("set")
    if again:
        prepare(photographs, "--seed", 2)
        table = Path("set/table.csv")
        lines = table.read_text().splitlines(keepends=True)
        table.write_text("".join(line for line in lines if str(name.name) not in line))
    else:
        name.parent.mkdir(parents=True)
        Path("set/journal.jsonl").touch()
    name.write_bytes(b"an evening's work")
    assert f"{name}: is a file that this command did not make" in refused(
        capsys, photographs, *again
    )
    assert name.read_bytes() == b"an evening's work"


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_links_in_a_data_set_lead_to_nothing_that_is_written_or_removed(photographs, capsys, kind):
    prepare(photographs)
    image = next(Path("set/pictures/bit_10").glob("*.png"))
    elsewhere = Path("elsewhere")
    if kind == "file":
        image.rename(elsewhere)
        image.symlink_to(elsewhere.resolve())
    else:
        image.parent.rename(elsewhere)
        image.parent.symlink_to(elsewhere.resolve())
    before = elsewhere.read_bytes() if kind == "file" else files(elsewhere)
    assert "is not replaced" in refused(capsys, photographs, "--force")
    assert before == (elsewhere.read_bytes() if kind == "file" else files(elsewhere))


@pytest.mark.parametrize(
    "name", ["thesis.txt", "../thesis.txt", "pictures/../thesis.txt", "{}/thesis.txt"]
)
def test_a_table_that_names_files_elsewhere_removes_none(photographs, name):
    prepare(photographs)
    victims = [Path("thesis.txt"), Path("set/thesis.txt")]
    for victim in victims:
        victim.write_text("three years of work")
    table = Path("set/table.csv")
    line = table.read_text().splitlines()[1]
    own = line.split(",")[0]
    table.write_text(table.read_text() + line.replace(own, name.format(Path.cwd())) + "\n")
    prepare(photographs, "--force")
    assert [victim.read_text() for victim in victims] == ["three years of work"] * 2


@pytest.mark.parametrize("name", ["dataset.yaml", "table.csv", "report.html"])
def test_a_file_of_others_with_a_name_of_the_sets_is_not_removed(photographs, capsys, name):
    prepare(photographs)
    Path("set/journal.jsonl").touch()
    (Path("set") / name).write_text("three years of work")
    assert "is a file that this command did not make" in refused(capsys, photographs, "--force")
    assert (Path("set") / name).read_text() == "three years of work"
