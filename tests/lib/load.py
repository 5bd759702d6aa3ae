# SPDX-License-Identifier: MIT
"""load.py - senders that keep an account, and the rules their events need.

Even threads post webhooks for Flex2B, where a repeat with the same ids is allowed
(on_unknown: resend); odd ones ERP posts for Movilitas, where it is not.
"""

import http.client
import threading

import rules
from history import Account

RULES = {"flex.yaml": rules.FLEX,
         "dec.yaml": rules.DECOMMISSION + "effect: '\"dec/\" + .serials[0]'\n"}
CONFIG = {
    "connectors": {"flex2b": {"on_unknown": "resend", "concurrency": 8},
                   "movilitas": {"concurrency": 8}},
    "deliver": {"retry": {"first": "10ms", "max": "100ms"}},
}


class Load:
    """Threads that post numbered events, each to keys of its own."""

    def __init__(self, gan, threads=4, keys=2, account=None, pause=0.0, insist=False):
        """pause: seconds between two posts of a thread; insist: repeat a post until it is told."""
        self.gan, self.keys, self.step, self.pause = gan, keys, threads, pause
        self.account, self.tries = account or Account(), 50 if insist else 1
        self.stopped, self.gate = threading.Event(), threading.Event()
        self.gate.set()
        self.threads = [threading.Thread(target=self.run, args=(i,)) for i in range(threads)]

    @property
    def acked(self):
        return self.account.acked

    def webhook(self, n, key, **more):
        return self.gan.send_webhook("lot_created", {"n": n, "key": key},
                                     webhook_uuid=f"load-{n}", **more)

    def waste(self, n, key):
        return self.gan.erp_post("waste", {"key": key, "gtin": rules.GTIN,
                                           "serials": [f"N{n}-{key}"]}, key=f"i-{n}")

    def tell(self, n, key, post):
        """Post, and keep in the account what came of it; returns the status or None."""
        try:
            got = post()
            ident = got.json().get("id") if 200 <= got.status < 300 else None
            self.account.told(n, key, got.status, ident)
            return got.status
        except ConnectionRefusedError:
            self.account.unreached(n)
        except (OSError, http.client.HTTPException, ValueError):
            self.account.silent(n, key)
        self.stopped.wait(0.01)  # the gateway is being killed or started
        return None

    def run(self, thread):
        n = thread
        while not self.stopped.is_set():
            for _ in range(self.tries):
                if self.one(n, thread) is not None:
                    break
            n += self.step
            if self.pause:
                self.stopped.wait(self.pause)
            self.gate.wait()

    def one(self, n, thread):
        if thread % 2 == 0:
            key = f"{thread}.{n // 2 % self.keys}"
            return self.tell(n, key, lambda: self.webhook(n, key))
        key = f"{thread}.{n // 40}"  # a key for every few: an unknown one holds few others
        return self.tell(n, key, lambda: self.waste(n, key))

    def hold(self):
        """No thread begins another post until go_on()."""
        self.gate.clear()

    def go_on(self):
        self.gate.set()

    def __enter__(self):
        for t in self.threads:
            t.start()
        return self

    def stop(self):
        """Let the posts that are under way end."""
        self.stopped.set()
        self.gate.set()
        for t in self.threads:
            t.join()

    def __exit__(self, *_):
        self.stop()


def settle(gan, sim, deadline=120):
    """Resolve what is unknown by the truth, which only the simulator knows."""
    while True:
        gan.drain(deadline)
        unknown = gan.attention(kind="unknown")
        if not unknown:
            return
        done = set(sim.state()["movilitas"]["decommissioned"])
        for item in unknown:
            verdict = "not-sent"
            if item["connector"] == "movilitas":
                serial = gan.delivery(item["id"])["effect"].split("/")[-1]
                verdict = "sent" if f"{rules.GTIN}/{serial}" in done else "not-sent"
            gan.ctl("resolve", item["id"], "--as", verdict)
