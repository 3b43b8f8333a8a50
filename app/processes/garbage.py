"""When Python looks for garbage in cycles.

What a process is made of at its start (300,000 objects of modules and routes) never becomes garbage, and looking at all
of it stops the process for a tenth of a second.
"""

import gc

YOUNG = 20_000  # objects more than before; Python's own 700 costs a tenth of the time that a start takes


def collect_rarely() -> None:
    """At the very beginning of a process: two million objects at most wait to be looked at."""
    gc.set_threshold(YOUNG, 10, 10)


def settle() -> None:
    """Once a process that is to serve has imported what it is made of: that is not looked at again, and what comes as
    often as Python does by itself, so that garbage never piles up."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(700, 10, 10)
