"""The scripts in tools/ measure what they say: density, private words, pages made from the code."""

import pytest

from tools import density, words

SHORT = 'def add(a, b):\n    """The sum."""\n    return a + b\n'


@pytest.fixture
def write(tmp_path):
    def write_source(text: str, name: str = "module.py"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return write_source


def test_density_counts_neither_docstrings_nor_comments(write):
    plain = density.measure([density.read_source(write(SHORT))])
    commented = density.measure([density.read_source(write(SHORT + "\n# a comment\n"))])
    assert plain.lines == commented.lines == 2
    # module, function, arguments, two argument names, return, sum, its operator, two names
    assert plain.nodes_per_line == commented.nodes_per_line == 10 / 2


def test_a_functions_length_is_its_lines_of_code(write):
    text = (
        "@decorator\ndef one():\n    '''Words.\n\n    More.\n    '''\n\n    # why\n    return 1\n"
    )
    measured = density.measure([density.read_source(write(text))])
    assert (measured.functions, measured.median_length, measured.longest) == (1, 3, 3)


@pytest.mark.parametrize("columns, count", [(100, 0), (101, 1)])
def test_lines_over_100_columns_are_counted(write, columns, count):
    source = density.read_source(write("#" * columns + "\n"))
    assert density.measure([source]).lines_over_100_columns == count


def test_a_bar_that_is_missed_is_an_exit_status(write, capsys):
    dense = "x = [[i * j + k for i in a if i > 1] for j in b for k in c if j < k and k != 3]\n"
    assert density.main([str(write(dense))]) == 1
    assert density.main([str(write(SHORT))]) == 0
    assert "nodes per line" in capsys.readouterr().out


@pytest.mark.parametrize(
    "text, word",
    [
        ("picture = 1\n", "picture"),
        ("def read_pictures(): ...\n", "pictures"),
        ("class PictureReader: ...\n", "Picture"),
        ("def f(found): ...\n", "found"),
        ("self.told = 1\n", "told"),
        ("WORST_SHARE = 1\n", "WORST"),
        ('def f():\n    """Nobody knows."""\n', "Nobody"),
        ("import numpy as blemish\n", "blemish"),
    ],
)
def test_a_private_word_is_found_with_its_place(write, text, word):
    (private,) = words.find_private_words(write(text))
    assert private.word == word and private.path.endswith("module.py") and private.line >= 1


@pytest.mark.parametrize(
    "text",
    [
        "founder = 1\n",
        "x = 'picture'\n",
        'def f():\n    """The key `pictures`."""\n',
        "found.append(1)\n",
        "MOSTLY = 1\n",
    ],
)
def test_other_words_are_left_alone(write, text):
    assert list(words.find_private_words(write(text))) == []


def test_a_private_module_name_is_found(write):
    (private,) = words.find_private_words(write("", "shelf.py"))
    assert private.word == "shelf"
