"""How many descriptors this process may have: each connection, file and pipe is one; where none is left nothing works.

Most systems start a program with a soft limit of 1024 and let it take more by itself.
"""

from __future__ import annotations

import resource

#: As many as a large instance has use for; the hard limit may be a million, which some libraries take for a size.
WANTED = 65_536
#: What connections leave free: for the store, workers, replicas, and what they are asked with.
RESERVED = 512


def raise_limit() -> int:
    """Take what the system gives; the soft limit from now on."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY:
        # macOS tells of no hard limit and has one all the same.
        for value in (WANTED, 10_240):
            wanted = value if hard == resource.RLIM_INFINITY else min(value, hard)
            if wanted <= soft:
                break
            try:
                resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            except (OSError, ValueError):
                continue
            break
    return limit()


def limit() -> int:
    """The soft limit that is in force."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return WANTED if soft == resource.RLIM_INFINITY else soft


def attainable() -> int:
    """What `raise_limit` would come to."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = WANTED if hard == resource.RLIM_INFINITY else min(WANTED, hard)
    return max(limit(), most) if soft != resource.RLIM_INFINITY else WANTED


def for_connections() -> int:
    """How many of them connections may have."""
    return max(limit() - RESERVED, limit() // 2)
