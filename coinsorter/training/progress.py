"""What long work tells of how far it is."""

from collections.abc import Callable
from contextlib import AbstractContextManager

# Opens a progress bar for some work of so many steps; the bar is told how many are done, and a word on how it goes.
OpenProgress = Callable[[str, int], AbstractContextManager[Callable[..., None]]]
