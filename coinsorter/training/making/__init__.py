"""A recipe and its pictures -> a bundle."""
