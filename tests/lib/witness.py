# SPDX-License-Identifier: MIT
"""witness.py - an honest sender in the middle of an attack.

    with Witness(gan) as seen:
        ... the attack ...
    seen.check()

Posts a valid webhook every 100 ms on a connection of its own and keeps how
long each took and what came back.  check() fails unless every one was answered
200 within one second (times SLOW).
"""

import threading
import time

from place import SLOW, wait_until
from wire import request, webhook_headers

LIMIT = 1.0
EVERY = 0.1


class Witness:
    def __init__(self, gan, every=EVERY):
        self.gan, self.every = gan, every
        self.took, self.wrong = [], []
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.n = 0

    def _post(self):
        self.n += 1
        body = b'{"witness":%d}' % self.n
        start = time.monotonic()
        try:
            got = request(self.gan.public, "POST", "/hooks/prodsmart", body, webhook_headers(
                self.gan.SECRETS["prodsmart-hook"], "lot_deleted", body), timeout=10)
            if got.status != 200:
                self.wrong.append((self.n, got))
        except (OSError, ValueError) as e:
            self.wrong.append((self.n, repr(e)))
        self.took.append(time.monotonic() - start)

    def _run(self):
        while not self.over.is_set():
            self._post()
            self.over.wait(self.every)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()

    def wait(self, posts, deadline=30):
        """Until it has been answered so many more times."""
        until = len(self.took) + posts
        wait_until(lambda: len(self.took) >= until, deadline, f"{posts} more answers")

    @property
    def worst(self):
        return max(self.took)

    def check(self, least=3):
        """How many were stored: all that it sent."""
        print(f"witness: {self.n} webhooks, the slowest answered in {self.worst * 1000:.0f} ms")
        assert not self.wrong, self.wrong[:5]
        assert self.n >= least, f"only {self.n} webhooks were sent"
        assert self.worst <= LIMIT * SLOW, f"a valid webhook waited {self.worst:.2f} s"
        return self.n
