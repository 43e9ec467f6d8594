"""config.yaml: what its options are, how it is read, and how a number in it is changed.

`schema` holds the options with their ranges and defaults, `load` reads a file and reports all of
its mistakes at once, `checks` finds options that contradict each other, `yaml_lines` knows the line
of each option, `syntax`, `explain` and `wording` say what is wrong and what to write instead, and
`edit` changes numbers without touching the comments.
"""
