"""The commands: each adds itself to the parser and chooses its parts."""
