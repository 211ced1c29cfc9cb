"""Ports for the servers of tests, also where several suites run on one machine at the same time."""

from __future__ import annotations

import random
import socket

# Below those that the kernel gives out by itself: a port of those, free a moment ago, may be anybody's by the time its
# server begins, and is somebody's while a server that was killed is started again. SeaweedFS also takes the port ten
# thousand above each of its own.
_untried = list(range(10_000, 20_000))
random.SystemRandom().shuffle(_untried)


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens at, and that no other test is given while this process lives."""
    while True:
        port = _untried.pop()
        # The same number for UDP, which no server here uses, says to the others that it is taken.
        claim = socket.socket(type=socket.SOCK_DGRAM)
        try:
            claim.bind(("127.0.0.1", port))
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", port))
        except OSError:
            claim.close()
        else:
            # Open until the process ends.
            claim.detach()
            return port
