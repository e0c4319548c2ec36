"""What thousands of connections need of the process: files, and a fair interpreter."""

import gc
import resource
import sys
from typing import Final

# With the default of 5 ms the event loop, which gives the interpreter up at each
# call into libcurl, waits that long to get it back whenever another thread
# computes: phases are measured wrong, and a core is never filled.
_SWITCH_SECONDS: Final = 0.0005
# Outcomes die young and hold no cycles: the collector finds nothing in them,
# and walking what lives long takes a tenth of the prober's time.
_GENERATIONS: Final = (100_000, 50, 100)


def open_files_limit() -> int:
    """Raise the soft limit of open files to the hard one, and return it.

    Thousands of connections need it, and a process may always do so itself;
    select(2), for whose sake the soft limit is low, is not used here.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 1 << 20 if hard == resource.RLIM_INFINITY else hard
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    return wanted if soft == resource.RLIM_INFINITY else soft


def tune_interpreter() -> None:
    """Set the interpreter up for a service of several threads, once all is built.

    Threads take turns every half millisecond, what is alive now is left alone
    by the cycle collector, and new garbage is looked for less often.
    """
    sys.setswitchinterval(_SWITCH_SECONDS)
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GENERATIONS)
