"""Crops -> trained networks."""
