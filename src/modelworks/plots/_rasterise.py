"""Many pictures at once, each on a core of its own."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from modelworks.plots._figure import Figure

# What a helper process does: drawings and scales in, pictures out. The library that makes pixels of a drawing holds
# Python's lock while it works, so that threads would wait for each other; and unlike those of `multiprocessing`, a
# process of its own never runs the caller's script a second time.
HELPER = """
import pickle, sys, vl_convert
asked = pickle.load(sys.stdin.buffer)
pickle.dump([vl_convert.svg_to_png(drawing, scale=scale) for drawing, scale in asked], sys.stdout.buffer)
"""
MOST_HELPERS = 4


def rasterise(wanted: Sequence[tuple[Figure, float]]) -> None:
    """Make the pictures of these figures at these scales, so that `Figure.png` has them at hand."""
    # The largest drawings first, dealt out in turn: no helper is left with all of the slow ones.
    missing = sorted(
        ((figure, scale) for figure, scale in wanted if scale not in figure.pictures),
        key=lambda each: -len(each[0].svg),
    )
    helpers = min(MOST_HELPERS, os.cpu_count() or 1, len(missing))
    if not helpers:
        return
    shares = [missing[k::helpers] for k in range(helpers)]
    with ThreadPoolExecutor(helpers) as pool:
        for share, pictures in zip(shares, pool.map(_helped, shares), strict=True):
            for (figure, scale), picture in zip(share, pictures, strict=True):
                figure.pictures[scale] = picture


def _helped(share: Sequence[tuple[Figure, float]]) -> list[bytes]:
    asked = pickle.dumps([(figure.svg, scale) for figure, scale in share])
    # In a session of its own: Ctrl-C is for the program, and a helper would answer it with a traceback.
    done = subprocess.run(
        [sys.executable, "-c", HELPER], input=asked, stdout=subprocess.PIPE, check=True, start_new_session=True
    )
    pictures: list[bytes] = pickle.loads(done.stdout)
    return pictures
