# SPDX-License-Identifier: MIT
"""place.py - where the build is, how long to wait, and how to wait."""

import ctypes
import datetime
import os
import signal
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("GANTRY_BUILD") or os.path.join(TOP, "build")
# Sanitizers and slow machines: every deadline is this much longer.
SLOW = float(os.environ.get("GANTRY_SLOW", "4" if "asan" in os.path.basename(BUILD) else "1"))

class Late(AssertionError):
    """A condition did not come true before its deadline."""


def wait_until(cond, deadline=10, what="the condition", every=0.02):
    """Ask cond until it is true, at most deadline seconds; returns its value."""
    end = time.monotonic() + deadline * SLOW
    while True:
        value = cond()
        if value:
            return value
        if time.monotonic() > end:
            raise Late(f"{what}: not within {deadline * SLOW:g} s")
        time.sleep(every)


def epoch(text):
    """The seconds of a time as the product writes it."""
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def program(name):
    path = os.path.join(BUILD, name)
    if not os.access(path, os.X_OK):
        raise FileNotFoundError(f"{path} is not built: run make first")
    return path


_PRCTL = ctypes.CDLL(None).prctl  # looked up now: a forked child of a threaded process may not


def die_with_parent():
    """A killed test run must not leave daemons behind."""
    _PRCTL(1, signal.SIGKILL)
