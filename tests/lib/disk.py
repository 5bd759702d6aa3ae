# SPDX-License-Identifier: MIT
"""disk.py - a small disk that can be filled, and posts whose fate is written down."""

import http.client
import os
import subprocess

import pytest
import rules


class SmallDisk:
    """A tmpfs of so many bytes on a folder; mounting needs root, else the test is skipped."""

    def __init__(self, path, size):
        self.path = path
        self.filler = os.path.join(path, "filler")
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "gantry-test",
                               path], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            pytest.skip(f"cannot mount a small disk: {done.stderr.strip()}")

    def free(self):
        fs = os.statvfs(self.path)
        return fs.f_bavail * fs.f_frsize

    def fill(self, leave=0):
        """Take all space but `leave` bytes."""
        with open(self.filler, "ab", buffering=0) as f:
            while self.free() > leave:
                try:
                    f.write(bytes(min(1 << 20, self.free() - leave)))
                except OSError:
                    break

    def empty(self):
        os.unlink(self.filler)

    def unmount(self):
        subprocess.run(["umount", "--lazy", self.path], check=False)


class Account:
    """Numbered webhooks of the rule rules.FLEX, and what each was told."""

    def __init__(self, gan, pad=0):
        self.gan, self.pad = gan, pad
        self.n = 0
        self.stored, self.spooled, self.refused, self.doubt = [], [], [], []

    @property
    def acked(self):
        return sorted(self.stored + self.spooled)

    def send(self, key="k"):
        """Send one; returns "stored", "spooled", 503, or None when no answer came."""
        self.n += 1
        body = {"n": self.n, "key": key, "pad": "x" * self.pad}
        try:
            got = self.gan.send_webhook("lot_created", body)
        except (OSError, http.client.HTTPException):
            self.doubt.append(self.n)
            return None
        if got.status == 503:
            self.refused.append(self.n)
            return 503
        assert got.status == 200, got
        said = got.json()["status"]
        {"stored": self.stored, "spooled": self.spooled}[said].append(self.n)
        return said

    def balance(self, sim, doubt_ok=False):
        """Nothing lost, nothing doubled, nothing invented, and in order."""
        self.gan.drain(60)
        came = [n for n, *_ in rules.lines(sim, acted=True)]
        assert len(came) == len(set(came)), "doubled"
        assert came == sorted(came), "out of order"
        lost = set(self.acked) - set(came)
        assert not lost, f"acknowledged and lost: {sorted(lost)}"
        extra = set(came) - set(self.acked)
        allowed = set(self.doubt + (self.refused if doubt_ok else []))
        assert extra <= allowed, f"refused and delivered: {sorted(extra - allowed)}"
