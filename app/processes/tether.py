"""A launcher that ties a child to the life of its parent, then becomes the child: ``tether.py PARENT PROGRAM ARG…``.

Children must not outlive a ``kill -9`` of the process that supervises them. On Linux this asks the kernel to send
SIGKILL when the parent goes (``PR_SET_PDEATHSIG``, prctl(2)) and then executes the program in its own place, so there
is no extra process and the process id stays. What to know about that signal:

* it survives ``execve`` (except of set-user-id programs) but not ``fork``: a child that starts processes of its own
  starts them through :func:`tethered` too;
* it is tied to the parent's *thread*: it fires when the thread that forked ends. asyncio forks in the thread of the
  event loop, so a loop that supervises runs in the main thread;
* it is SIGKILL because everything we start can bear it: the stores are made for it, and jobs are leased.

It is not set in a ``preexec_fn``, which is unsafe once threads exist. On other systems the launcher only executes the
program, and what is left over is stopped at the next start (:mod:`app.processes.runtime`).

This file is run by its path with ``-I -S`` (11 ms), so it imports nothing of ours.
"""

import ctypes
import os
import signal
import sys
from pathlib import Path

PR_SET_PDEATHSIG = 1  # <linux/prctl.h>


def tethered(argv: tuple[str, ...]) -> tuple[str, ...]:
    """The command line that runs ``argv`` tied to this process."""
    return (sys.executable, "-I", "-S", str(Path(__file__).absolute()), str(os.getpid()), *argv)


def main() -> None:
    parent, *argv = sys.argv[1:]
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        # The parent may have gone before the call; then nobody would send the signal.
        if os.getppid() != int(parent):
            sys.exit(1)
    # Python ignores these at start-up, and an ignored signal stays ignored through exec.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    try:
        os.execvp(argv[0], argv)  # noqa: S606 (an argument list, no shell)
    except OSError as exc:
        sys.exit(f"{argv[0]}: {exc.strerror}")


if __name__ == "__main__":
    main()
