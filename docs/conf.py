"""How Sphinx builds these documents: `make docs`."""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from coinsorter import __version__  # noqa: E402 - found by the line above

project = "coinsorter"
author = "the coinsorter team"
copyright = "2026, the coinsorter team"  # noqa: A001 - Sphinx names it so
release = version = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.apidoc",
    "sphinx_copybutton",
]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = "coinsorter"

# A dead link, an unknown reference or a warning fails the build: `make docs` adds -W.
nitpicky = True
# Types of other libraries: their own documents are not within reach of an offline build.
# Private classes have no page of their own, and names of typing are no modules' own.
nitpick_ignore_regex = [
    ("py:.*", r"(?!coinsorter\.).*|coinsorter\.(.*\.)?_.*|coinsorter\..*\.Annotated")
]
default_role = "code"
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3


autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_default_options = {"members": True, "show-inheritance": True}
apidoc_modules = [
    {
        "path": str(ROOT / "coinsorter"),
        "destination": "api",
        "separate_modules": True,
        "module_first": True,
        "max_depth": 2,
    }
]

copybutton_prompt_text = "$ "
copybutton_only_copy_prompt_lines = True
