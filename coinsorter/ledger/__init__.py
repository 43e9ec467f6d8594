"""The ledger: every coin and what became of it, on the disk before its flap may move."""
