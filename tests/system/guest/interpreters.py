"""Prints the version of this Python and the interpreters of networks that it has."""

import sys

from coinsorter.recognition import runtime

print(*sys.version_info[:2], *runtime.list_runtimes())
