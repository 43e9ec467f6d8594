"""Held-out coins -> fusion, anomaly scales and thresholds within an error budget."""
