"""A sample of the ways of calling, spread over all of them; `python -m benchmarks.ways` tries all.

Each ends with one line and a documented status, never with a traceback, takes little memory and
changes no file that is not its own.
"""

import pytest

from tests.e2e.calling import HANGS_S, Called, Place, call
from tests.e2e.ways_of_calling import WAYS

#: Each so many of the ways is tried here: a number that shares no divisor with the lists' lengths.
EVERY = 23


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Place:
    folder = tmp_path_factory.mktemp("place")
    for parent in (folder, *folder.parents[:2]):
        parent.chmod(0o755)  # so that another user comes this far
    return Place(folder)


def test_there_are_more_than_two_hundred_ways_and_each_once():
    assert len(WAYS) > 200
    assert len({way.name for way in WAYS}) == len(WAYS)


@pytest.fixture(scope="module")
def sample(place) -> list[Called]:
    return [call(way, place) for way in WAYS[::EVERY]]


def test_every_way_of_the_sample_ends_as_it_should(sample):
    assert len(sample) > 25
    wrong = [(called.way.name, called.problems, called.err) for called in sample if called.problems]
    assert wrong == []


def test_none_of_the_sample_hangs(sample):
    assert max(called.took_s for called in sample) < HANGS_S
