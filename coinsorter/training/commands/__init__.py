"""The commands of `coinsorter-train`: each adds itself to the parser and prints the result."""
