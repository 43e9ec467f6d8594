"""A verdict -> a bin, a flap's movement and a row of the ledger."""
