# SPDX-License-Identifier: MIT
"""clocks.py - a wall clock that jumps while the daemon runs, by libfaketime.

    clock = clocks.Clock(gan.path("clock"))
    gan.start(env=clock.env)
    clock.jump(86400)

Only the wall clock is moved; the monotonic one is left alone, as a real jump does.
"""

import glob
import os

import pytest

from place import BUILD


class Clock:
    def __init__(self, path):
        found = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
        if not found:
            pytest.skip("libfaketime is not here")
        if os.path.basename(BUILD).endswith("-asan"):
            pytest.skip("a sanitizer must be the first library that is loaded")
        self.path = path
        self.jump(0)
        self.env = {"LD_PRELOAD": found[0], "FAKETIME_TIMESTAMP_FILE": path,
                    "FAKETIME_NO_CACHE": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}

    def jump(self, seconds):
        """From now on the daemon's clock is that far from the true one."""
        with open(self.path + ".new", "w", encoding="ascii") as f:
            f.write(f"{seconds:+d}\n")
        os.rename(self.path + ".new", self.path)
