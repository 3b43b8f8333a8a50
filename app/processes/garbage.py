"""When Python looks for garbage in cycles: a look at everything stops all of a process for a tenth of a second.

What a process is made of at its start (300,000 objects of modules and routes) never becomes garbage.
"""

import gc

YOUNG = 20_000  # objects more than before; Python's own 700 costs a tenth of the time that a start takes


def collect_rarely() -> None:
    """At the very beginning of a process."""
    gc.set_threshold(YOUNG, 20, 50)


def settle() -> None:
    """Once a process that is to serve has imported what it is made of: that is not looked at again."""
    gc.collect()
    gc.freeze()
