"""Image files: which there are, when they were taken, what they are of, and their pixels."""
