"""Lets the benchmarks' tests use the photographs."""

from tests.conftest import data

__all__ = ["data"]
