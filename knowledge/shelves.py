"""Where the vectors of a knowledge base stand: on a shelf, a collection of its own in the vector store.

A shelf is named for its model; made anew of the same model it is ``…_2``, then ``…_3``. Chroma only marks what is
deleted, and goes on reading and keeping it: 5,000 vectors, each replaced eight times, took 76 MB of disk instead of 8,
78 MB more of memory, and 4.4 ms a query instead of 2.0 (chromadb 1.5.9). So a worn shelf is copied to a new one, as a
knowledge base moves to another model.
"""

LEAST_DEAD = 2_000  # vectors; below that there is nothing to gain
# Of the live ones. At twice as many a query of Chroma takes 1.3 times as long, at eight times 2.2. Not sooner, as a
# dropped collection stays in the server's memory until it is started again.
DEAD_SHARE = 2.0
_MARK = "_"  # no model's id has it


def model_of(shelf: str) -> str:
    """The embedding model."""
    return shelf.partition(_MARK)[0]


def shelf_prefix(model: str) -> str:
    """How the names of a model's shelves begin, but for the first."""
    return f"{model}{_MARK}"


def renewed(shelf: str) -> str:
    """The next shelf of the same model."""
    model, _, number = shelf.partition(_MARK)
    return f"{model}{_MARK}{int(number or 1) + 1}"
