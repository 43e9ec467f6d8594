"""The tests themselves with Python 3.13, NumPy 2 and LiteRT, as a Pi with Trixie has them.

The tests of training need more than the guest holds.
"""

import re
from xml.etree import ElementTree

from tests.conftest import IN_FULL
from tests.system.conftest import Rig

MIN_PASSED = 1000
# What the guest has not. A test that is skipped for any other reason is a mistake.
ABSENT = (
    "training's packages are not installed|no photographs|no emulated Raspberry Pi"
    "|tflite-runtime is not installed|no dtc|dtc is not|no fdtoverlay|temporary files is in memory"
)
# The documents' commands need training. Studies of many inputs are the same with any Python, and
# take minutes.
STUDIES = (
    "outputs",
    "ways",
    "hostile_files",
    "mutations",
    "bundle_benchmarks",
    "ledger_benchmarks",
)
IGNORED = ("documents", *STUDIES)
# What is OpenCV and NumPy alone: the first Python's tests have the same versions of both.
ARITHMETIC = ("vision", "simulator")
EVERYTHING = [
    *(f"--ignore tests/e2e/test_{name}.py" for name in IGNORED),
    *(f"--ignore tests/unit/{name}" for name in ARITHMETIC),
]
# Where another Python, NumPy or system is met first.
QUICK = [
    *(f"tests/unit/{name}" for name in ("hardware", "ledger", "config", "files", "recognition")),
    "tests/e2e/test_service.py",
]
TESTS = " ".join(EVERYTHING if IN_FULL else QUICK)


def test_all_but_training_passes_on_python_3_13_with_litert(rig: Rig):
    outcome = rig.run(
        f"""
        python=/opt/venv/bin/python
        $python -m pip install --quiet --no-index --find-links /opt/wheels --no-build-isolation \\
            --editable '.[test]'
        $python guest/interpreters.py >rig-out/interpreters
        $python -m pytest --quiet -p no:cacheprovider --junit-xml rig-out/tests.xml {TESTS}
        """,
        timeout_s=1800,
    )
    assert outcome.status == 0, outcome.printed
    assert outcome.text("interpreters") == "3 13 litert\n"
    suite = ElementTree.fromstring(outcome.text("tests.xml")).find("testsuite")
    skipped = suite.findall("testcase/skipped")
    passed = int(suite.get("tests")) - len(skipped)
    print(f"{passed} passed, {len(skipped)} skipped in {float(suite.get('time')):.0f} s")
    assert suite.get("failures") == suite.get("errors") == "0" and passed >= MIN_PASSED
    reasons = [f"{skip.get('message')} {skip.text}" for skip in skipped]
    assert [reason for reason in reasons if not re.search(ABSENT, reason)] == []
