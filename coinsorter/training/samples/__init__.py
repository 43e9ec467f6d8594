"""A data set, frames or the simulator -> crops with their labels."""
