"""coinsorter: a headless machine that sorts coins by proof and accounts for each of them."""

__version__ = "0.1.0"
