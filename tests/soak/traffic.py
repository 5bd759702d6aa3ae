# SPDX-License-Identifier: MIT
"""traffic.py - all that people and machines do to a gateway on a day, at once."""

import contextlib
import http.client
import os
import random
import socket
import threading
import time

import history
import kit
import load
import rules

FORGED = 10**9  # numbers from here on are of posts that must be refused


class Traffic(load.Load):
    """Senders that insist: half of them behind a proxy that cuts; some repeat themselves."""

    def __init__(self, gan, front, seed, threads=8, pause=0.1):
        super().__init__(gan, threads=threads, keys=4, pause=pause, insist=True)
        self.front = front
        self.took = []       # seconds of webhooks that were answered, sent straight
        self.refused = 0     # connections refused: never, the socket is always there
        self.repeats = self.forged = 0
        self.forgeries = history.Account()  # apart: what was taken of it is nobody's to be owed
        self.rngs = [random.Random(f"{seed}/{i}") for i in range(threads)]
        self.extras = [threading.Thread(target=work, daemon=True) for work in (
            self.forge, self.idle)]

    def address(self, thread):
        return self.front.address if thread % 4 >= 2 else self.gan.public

    def one(self, n, thread):
        rng, begin = self.rngs[thread], time.monotonic()
        status = super().one(n, thread)
        if status == 200 and thread % 4 == 0:
            self.took.append(time.monotonic() - begin)
        self.refused += self.account.refused.get(n, 0) is None
        if status is not None and status < 300 and rng.random() < 0.05:
            self.repeats += 1
            super().one(n, thread)
        return status if status != 503 else None  # as a good sender does

    def webhook(self, n, key, **more):
        body = kit.as_bytes({"n": n, "key": key})
        return kit.request(self.address(self.thread_of(key)), "POST", "/hooks/prodsmart", body,
                           kit.webhook_headers(self.gan.SECRETS["prodsmart-hook"], "lot_created",
                                               body, webhook_uuid=f"load-{n}", **more))

    def waste(self, n, key):
        body = kit.as_bytes({"key": key, "gtin": rules.GTIN, "serials": [f"N{n}-{key}"]})
        return kit.request(self.address(self.thread_of(key)), "POST", "/v1/events/erp/waste", body,
                           {"Content-Type": "application/json", "Idempotency-Key": f"i-{n}",
                            "Authorization": "Bearer " + self.gan.SECRETS["erp-token"]})

    @staticmethod
    def thread_of(key):
        return int(key.split(".")[0])

    def forge(self):
        """Wrong secrets, wrong tokens; every tenth without any."""
        n = FORGED
        while not self.stopped.wait(0.2):
            self.gate.wait()
            n += 1
            try:
                got = self.forgery(n)
                self.forgeries.told(n, "forged", got.status)
                self.forged += 1
            except (OSError, http.client.HTTPException):
                continue  # the gateway is being killed or started

    def forgery(self, n):
        if n % 2 == 0:
            return self.gan.erp_post("waste", {"key": "forged", "gtin": rules.GTIN,
                                               "serials": [f"N{n}-forged"]},
                                     token=None if n % 10 == 0 else "wrong-token")
        if n % 10 == 1:
            return self.gan.http("POST", "/hooks/prodsmart", b"{}")
        return self.gan.send_webhook("lot_created", {"n": n, "key": "forged"},
                                     secret="wrong-secret")

    def idle(self):
        """Thirty connections that say little or nothing until they are thrown out."""
        host, port = self.gan.public.rsplit(":", 1)
        socks = []
        while not self.stopped.wait(0.3):
            socks = [s for s in socks if not self.gone(s)]
            if len(socks) < 30:
                with contextlib.suppress(OSError):
                    sock = socket.create_connection((host, int(port)), 5)
                    sock.setblocking(False)
                    sock.send((b"", b"POST /hooks/prodsmart HTTP/1.1\r\nHost: x\r\n")[
                        len(socks) % 2])
                    socks.append(sock)
        for sock in socks:
            sock.close()

    @staticmethod
    def gone(sock):
        try:
            if sock.recv(65536):
                return False
        except BlockingIOError:
            return False
        except OSError:
            pass
        sock.close()
        return True

    def __enter__(self):
        for thread in self.extras:
            thread.start()
        return super().__enter__()

    def stop(self):
        super().stop()
        for thread in self.extras:
            thread.join()


class Operator:
    """A person with gantryctl: looks at everything, resolves what is unknown by the truth."""

    LOOKS = (("status",), ("attention",), ("events list", "--limit", "100"),
             ("deliveries list", "--limit", "100"), ("lanes",), ("rules list",), ("doctor",),
             ("quarantine list",), ("audit",))

    def __init__(self, gan, done, seed):
        """done(): numbers that the peers have done so far."""
        self.gan, self.done, self.rng = gan, done, random.Random(f"{seed}/operator")
        self.looks = self.failed = self.resolved = self.reloads = self.backups = 0
        self.wrong = []
        self.over = threading.Event()
        self.away = threading.Lock()  # held while the daemon is down on purpose
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self):
        turn = 0
        while not self.over.wait(0.7):
            turn += 1
            with self.away:
                try:
                    self.look()
                    if turn % 7 == 0:
                        self.resolve(older=3)
                    if turn % 23 == 0:
                        self.reload()
                    if turn % 61 == 0:
                        self.backup()
                except Exception as why:  # pylint: disable=broad-except
                    self.wrong.append(repr(why)[:500])

    def look(self):
        words = self.rng.choice(self.LOOKS)
        rc, out, err = self.gan.ctl_raw(*words[0].split(), *words[1:])
        self.looks += 1
        if rc not in (0, 1):  # 1: a finding of doctor
            self.wrong.append(f"gantryctl {' '.join(words)}: exit {rc}: {out[:200]}{err[:200]}")

    def resolve(self, older):
        now = time.time()
        for item in self.gan.attention(kind="unknown"):
            if now - kit.epoch(item["since"]) < older:
                continue  # what was cut may still be on its way
            verdict = "not-sent"
            if item["connector"] == "movilitas":
                effect = self.gan.delivery(item["id"])["effect"]
                verdict = "sent" if int(effect.split("/")[1][1:].split("-")[0]) in self.done() \
                    else "not-sent"
            self.gan.ctl("resolve", item["id"], "--as", verdict)
            self.resolved += 1

    def reload(self):
        """Good files; now and then bad ones first, which must change nothing."""
        self.reloads += 1
        if self.rng.random() < 0.3:
            self.gan.rule("red.yaml", "rule: red\nfrom: [\n")
            self.gan.ctl_raw("reload")
            self.gan.unrule("red.yaml")
        text = load.RULES["flex.yaml"].rstrip() + f"\ndescription: edition {self.reloads}\n"
        self.gan.rule("flex.yaml", text)
        rc, out, err = self.gan.ctl_raw("reload")
        if rc != 0:
            self.wrong.append(f"reload: exit {rc}: {out[:300]}{err[:300]}")

    def backup(self):
        self.backups += 1
        path = self.gan.path("data", "backup.db")
        self.gan.ctl("backup", path)
        os.unlink(path)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()
