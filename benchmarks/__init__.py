"""Programs that print the project's figures, each run with `python -m benchmarks.NAME`."""
