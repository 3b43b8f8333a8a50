"""When Python looks for garbage in cycles.

What a process is made of at its start (300,000 objects of modules and routes) never becomes garbage, and looking at all
of it stops the process for a tenth of a second.
"""

import gc

YOUNG = 20_000  # objects more than before; Python's own 700 costs a tenth of the time that a start takes
# A quarter of a million objects at most wait to be looked at, some 40 MB. With Python's own numbers, made for processes
# that hold less, 500 answers at once took 7 % of their time looking, and stood still for 0.1 s now and then.
SERVING = (5_000, 10, 5)


def collect_rarely() -> None:
    """At the very beginning of a process: two million objects at most wait to be looked at."""
    gc.set_threshold(YOUNG, 10, 10)


def settle() -> None:
    """Once a process that is to serve has imported what it is made of: that is not looked at again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*SERVING)
