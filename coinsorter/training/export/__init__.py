"""Trained networks -> what a bundle holds: int8 models, reliefs, embedding statistics."""
