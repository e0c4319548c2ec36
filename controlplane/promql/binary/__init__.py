"""Binary operators between vectors and numbers.

In come two blocks, or a block and numbers; out goes a block. `arithmetic` is
the table of operators over arrays; `matching` finds which series pair up, once
for two sets of series; `sets` is `and`, `or`, `unless`. Knows nothing of where
the values came from.
"""
