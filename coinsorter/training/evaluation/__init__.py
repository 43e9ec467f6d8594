"""A bundle and labelled images -> figures, plots and a report."""
