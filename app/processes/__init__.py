"""``copilot up`` and what it starts.

| file | knows |
|---|---|
| ``up.py`` | the order of things: checks, leftovers, migration, stores, API and worker, first run, the end |
| ``supervisor.py``, ``children.py`` | several children as one; one child |
| ``tether.py`` | how a child is tied to its parent's life, ``kill -9`` included |
| ``embedded.py`` | Redis and Chroma of our own, for ``up`` and for single commands |
| ``runtime.py``, ``pids.py`` | the lock and the record in the data folder; processes that are never mistaken |
| ``ports.py``, ``probes.py``, ``data_folder.py`` | can we listen, does it answer, can we write |
| ``terminal.py``, ``words.py``, ``messages.json`` | what is shown, in which language |

The supervising process stays small (about 45 MiB): it imports no client library, no SQLAlchemy and no chromadb.
"""
