# SPDX-License-Identifier: MIT
"""disk.py - a small disk that can be filled, and posts whose fate is written down."""

import http.client
import os
import subprocess

import history
import kit
import load
import pytest


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


class Sender:
    """One sender of numbered webhooks (rules of load.py) that knows what became of each.

    They carry no uuid, so that no search for duplicates hides one that is stored twice.
    """

    def __init__(self, gan, pad=0):
        self.gan, self.pad, self.n = gan, pad, 0
        self.account = history.Account()
        self.told = {"stored": [], "spooled": [], 503: [], None: []}

    def send(self, key="k"):
        """Send one; returns "stored", "spooled", 503, or None when no answer came."""
        self.n += 1
        body = kit.as_bytes({"n": self.n, "key": key, "pad": "x" * self.pad})
        headers = kit.webhook_headers(self.gan.SECRETS["prodsmart-hook"], "lot_created", body)
        del headers["x-prodsmart-webhook-uuid"]
        try:
            got = self.gan.http("POST", "/hooks/prodsmart", body, headers)
        except (OSError, http.client.HTTPException):
            self.account.silent(self.n, key)
            said = None
        else:
            assert got.status in (200, 503), got
            ident = got.json()["id"] if got.status == 200 else None
            self.account.told(self.n, key, got.status, ident)
            said = got.json()["status"]
        self.told[said].append(self.n)
        return said

    def send_until(self, wanted, most=400):
        for _ in range(most):
            if self.send() == wanted:
                return
        raise AssertionError(f"never {wanted}")

    def doubt_refused(self):
        """A 503 after a failed sync: the COMMIT may be found whole at the next start."""
        for n in self.told[503]:
            self.account.doubt[n] = self.account.refused.pop(n, "k")

    def balance(self, sim):
        """The promises hold, and nothing is stored twice."""
        load.settle(self.gan, sim)
        view, deeds = history.verify(self.gan, sim, self.account)
        mine = [e for e in view.events.values() if e["source"] == "prodsmart"]
        assert len(mine) == len({d.n for d in deeds if d.acted}), "stored twice"
