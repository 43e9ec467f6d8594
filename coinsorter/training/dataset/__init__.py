"""Images as a trainer has them -> a data set."""
