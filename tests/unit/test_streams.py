"""The standard streams of real processes: full, closed, unread, or in a poor encoding."""

import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT

PRINT = """
import sys
from coinsorter.streams import OutputError, drop_output, flush_output, guard_streams
guard_streams()
try:
    print("a line \\u20ac \\udcff")
    flush_output()
except OutputError as error:
    drop_output()
    print(error, error.is_unread, file=sys.stderr)
    sys.exit(3)
"""
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"}


def run(redirection: str, code: str = PRINT, **environment: str) -> subprocess.CompletedProcess:
    command = ["bash", "-c", f'"$0" -c "$1" {redirection}', sys.executable, code]
    return subprocess.run(
        command, capture_output=True, env=ENVIRONMENT | environment, timeout=60, check=False
    )


@pytest.mark.parametrize(
    "redirection, message",
    [
        (">/dev/full", b"standard output cannot be written: No space left on device False\n"),
        (">&-", b"standard output cannot be written: it is closed False\n"),
    ],
)
def test_output_that_cannot_be_written_is_an_error_of_its_own(redirection, message):
    done = run(redirection)
    assert (done.returncode, done.stderr) == (3, message)


def test_a_pipe_that_nobody_reads_is_told_from_a_full_disk():
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-c", PRINT],
        stdout=writer,
        stderr=subprocess.PIPE,
        env=ENVIRONMENT,
        timeout=60,
        check=False,
    )
    os.close(writer)
    assert (done.returncode, done.stderr[-7:]) == (3, b"e True\n")


@pytest.mark.parametrize("redirection", ["2>&-", "2>/dev/full", ""])
def test_whatever_standard_error_is_the_output_is_written(redirection):
    done = run(redirection)
    assert (done.returncode, done.stdout) == (0, "a line \u20ac \\udcff\n".encode())


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_what_the_encoding_lacks_is_escaped(encoding):
    done = run("", PYTHONIOENCODING=encoding)
    assert (done.returncode, done.stdout) == (0, b"a line \\u20ac \\udcff\n")


OPEN = """
import os
from coinsorter.streams import guard_streams
guard_streams()
number = os.open("/dev/null", os.O_RDONLY)
input_is_at_its_end = __import__("sys").stdin.read() == ""
os._exit(number if input_is_at_its_end else 99)
"""


def test_no_file_is_opened_in_the_place_of_a_closed_stream():
    assert run("<&- >&- 2>&-", OPEN).returncode > 2


def test_a_slow_reader_of_a_stream_that_does_not_block_is_waited_for():
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    code = PRINT.replace('"a line', '"x" * 300_000 + "a line')
    with subprocess.Popen([sys.executable, "-c", code], stdout=writer, env=ENVIRONMENT) as process:
        os.close(writer)
        with os.fdopen(reader, "rb") as output:
            assert len(output.read()) > 300_000
    assert process.returncode == 0
