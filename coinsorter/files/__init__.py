"""Files: read within limits, replaced as a whole, locked, and never another program's."""
