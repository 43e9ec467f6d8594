"""Crops of a coin -> a verdict: a model bundle, its networks, and what they say together."""
