"""Coins -> measures that a person can read, and a plain classifier on them."""
