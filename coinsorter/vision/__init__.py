"""A frame's pixels -> coins: found, measured, followed and cut out."""
