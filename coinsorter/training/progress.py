"""How long work reports its progress."""

from collections.abc import Callable
from contextlib import AbstractContextManager

#: Opens a progress bar for a piece of work, named, of so many steps. The bar is a function that is
#: called with the number of steps that are done, and a word on how it goes.
OpenProgress = Callable[[str, int], AbstractContextManager[Callable[..., None]]]
