"""Asks bundles for their golden answers with the Python that runs this.

python -m tests.arm64.golden WHERE RUNTIME,RUNTIME BUNDLE...
"""

import sys
import time
from pathlib import Path

from coinsorter.errors import BundleError
from coinsorter.recognition import bundle, runtime
from coinsorter.recognition.classifier import Classifier


def main(where: str, runtimes: str, *bundles: str) -> int:
    passed = [_passes(where, name, Path(path)) for name in runtimes.split(",") for path in bundles]
    return 0 if all(passed) else 1


def _passes(where: str, name: str, path: Path) -> bool:
    started, complaint = time.monotonic(), ""
    try:
        Classifier(bundle.load_bundle(path), runtime.pick_runtime(name)).check_golden_crops()
    except BundleError as error:
        complaint = str(error)
    result = f"FAIL: {complaint}" if complaint else "PASS"
    took_s = time.monotonic() - started
    print(f"{where}, {name}, {path.name}: {result} ({took_s:.1f} s)", flush=True)
    return not complaint


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
