"""What can be wrong with a block."""

from controlplane.errors import ControlPlaneError


class Corrupt(ControlPlaneError):
    """A block's bytes are not those that were written; never leaves the store.

    `block` is the name of the block, where it is known.
    """

    block = ""


class Interrupted(ControlPlaneError):
    """The store is being closed: a block is not written to its end."""
