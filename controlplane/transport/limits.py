"""How many files, and so connections, the process may open."""

import resource


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
