# SPDX-License-Identifier: MIT
"""kit.py - runs the real gantryd beside gantry-sim in a folder of its own.

Used by the end-to-end tests, `make demo` and `make bench`.  Nothing here
sleeps and hopes: every wait asks one of the product's own interfaces and has
a deadline.  Needs the standard library and PyYAML.

The contract with gantryd: it sends READY=1 to $NOTIFY_SOCKET when it takes
requests, and the `listen` object of `gantryctl status` tells the ports that
it really bound.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

import yaml

from place import BUILD, SLOW, TOP, Late, die_with_parent, epoch, program, wait_until
from sim import Sim
from wire import FORMS, Answer, as_bytes, request, signature, webhook_headers

__all__ = ["BUILD", "SLOW", "TOP", "Late", "die_with_parent", "epoch", "program", "wait_until",
           "Sim", "FORMS", "Answer", "as_bytes", "request", "signature", "webhook_headers",
           "CtlError", "Gateway", "Notes", "merge"]


class Notes:
    """A $NOTIFY_SOCKET that is always read: a full one would stop its sender."""

    def __init__(self, path):
        if os.path.exists(path):
            os.unlink(path)
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self.sock.bind(path)
        self.sock.settimeout(0.2)
        self.texts, self.seen, self.closed = [], 0, False
        self.news = threading.Condition()
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        while not self.closed:
            try:
                text = self.sock.recv(8192).decode(errors="replace")
            except socket.timeout:
                continue
            except OSError:
                return
            with self.news:
                self.texts.append(text)
                self.news.notify_all()

    def next(self, word, timeout):
        """The next message, after those already asked for, that holds this line; or None."""
        with self.news:
            while True:
                while self.seen < len(self.texts):
                    self.seen += 1
                    if word in self.texts[self.seen - 1].split("\n"):
                        return self.texts[self.seen - 1]
                if not self.news.wait(timeout):
                    return None

    def skip(self):
        with self.news:
            self.seen = len(self.texts)

    def close(self):
        self.closed = True
        self.thread.join()
        self.sock.close()


class CtlError(AssertionError):
    def __init__(self, args, rc, out, err):
        super().__init__(f"gantryctl {' '.join(args)}: exit {rc}\n{out}{err}")
        self.rc, self.out, self.err = rc, out, err


class Gateway:
    """One gantryd with a temporary folder: configuration, secrets, rules, database."""

    SECRETS = {
        "prodsmart-hook": "test-hook-secret-0123456789",
        "erp-token": "test-erp-token-0123456789",
        "erp-token-2": "test-erp-token-2-0123456789",
        "other-token": "test-other-token-0123456789",
        "mv-channel": "sim-mv-channel",
        "mv-token": "sim-mv-token",
        "mv-key": "sim-mv-key",
        "mv-secret": "sim-mv-secret",
        "f2b-user": "sim-3pl",
        "f2b-pass": "sim-3pl-password",
        "ps-key": "sim-ps-key",
        "ps-secret": "sim-ps-secret",
    }

    def __init__(self, sim, rules=None, tables=None, config=None, folder=None):
        """rules: {file name: YAML text}; config: overrides, merged deeply; None deletes."""
        self.sim = sim
        self.own_folder = folder is None
        self.dir = folder or tempfile.mkdtemp(prefix="gan-")
        self.gantryd = program("gantryd")
        self.proc = None
        self.ready_s = None  # seconds from exec to READY=1
        self.public = self.admin = None
        self.socket = os.path.join(self.dir, "control.sock")
        self.log_path = os.path.join(self.dir, "gantryd.log")
        for name in ("secrets", "rules.d", "lookups", "data"):
            os.makedirs(os.path.join(self.dir, name), exist_ok=True)
        for name, value in self.SECRETS.items():
            self.secret(name, value)
        self.config = self.default_config()
        merge(self.config, config or {})
        self.write_config()
        for name, text in (rules or {}).items():
            self.rule(name, text)
        for name, text in (tables or {}).items():
            self.write(f"lookups/{name}", text)

    def default_config(self):
        sim = self.sim
        return {
            "version": 1,
            "site": "test",
            "time_zone": "Europe/Lisbon",
            "secrets": "secrets",
            "listen": {
                "public": {"address": "127.0.0.1:0", "max_body": "1MiB", "max_connections": 512,
                           "keep_alive": False},
                "admin": {"address": "127.0.0.1:0"},
                "control": {"socket": "control.sock"},
            },
            "store": {"engine": "sqlite", "path": "data/gantry.db", "min_free": "1MiB",
                      "spool": "1MiB"},
            "mapping": {"rules": "rules.d", "workers": 2, "timeout": "2s", "memory": "256MiB"},
            "deliver": {
                "timeout": {"connect": "2s", "total": "2s"},
                "retry": {"first": "50ms", "factor": 1.5, "max": "500ms", "jitter": "20%",
                          "give_up": "1h"},
                "breaker": {"failures": 1000, "open": "100ms"},
                "concurrency": 4,
            },
            "sources": {
                "prodsmart": {"kind": "prodsmart-webhook", "secret": ["secret:prodsmart-hook"],
                              "signature": "auto"},
                "erp": {"kind": "http", "tokens": ["secret:erp-token", "secret:erp-token-2"]},
                "other": {"kind": "http", "tokens": ["secret:other-token"]},
            },
            "connectors": {
                "movilitas": {"kind": "movilitas",
                              "base_url": sim.url("movilitas") if sim else "http://127.0.0.1:9",
                              "channel_key": "secret:mv-channel", "token": "secret:mv-token"},
                "flex2b": {"kind": "flex2b",
                           "base_url": sim.url("flex2b") if sim else "http://127.0.0.1:9",
                           "user": "secret:f2b-user", "password": "secret:f2b-pass",
                           "token_header": "bearer", "timeout": {"total": "2s"}},
            },
            "log": {"level": "info"},
        }

    # -- files ---------------------------------------------------------------

    def path(self, *parts):
        return os.path.join(self.dir, *parts)

    def write(self, name, text, mode=0o644):
        path = self.path(name)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        os.chmod(path, mode)
        return path

    def secret(self, name, value):
        self.write(f"secrets/{name}", value + "\n", 0o640)

    def rule(self, name, text):
        return self.write(f"rules.d/{name}", text)

    def unrule(self, name):
        os.unlink(self.path("rules.d", name))

    def write_config(self):
        self.write("gantry.yaml", yaml.safe_dump(self.config, sort_keys=False))

    def reconfigure(self, **changes):
        merge(self.config, changes)
        self.write_config()

    # -- the process -----------------------------------------------------------

    def start(self, deadline=20, wrap=(), env=None, listen=None, rules=True):
        """Start gantryd and wait for its READY=1.

        It takes events before its rules are compiled; with rules, wait for those too.
        listen: a listening socket, handed over as systemd does (one, without a name:
        it is the public listener).
        """
        notify_path = self.path("notify.sock")
        self.notify = Notes(notify_path)
        environment = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"),
                       "NOTIFY_SOCKET": notify_path, **(env or {})}
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS"):
            if name in os.environ:
                environment[name] = os.environ[name]
        if listen is not None:
            environment["LISTEN_FDS"] = "1"
            wrap = ["/bin/sh", "-c", 'LISTEN_PID=$$ exec "$@"', "sh", *wrap]

        def before_exec():
            die_with_parent()
            if listen is not None:
                os.dup2(listen.fileno(), 3, inheritable=True)

        started = time.monotonic()
        with open(self.log_path, "ab") as log:
            self.proc = subprocess.Popen(
                [*wrap, self.gantryd, "--config", self.path("gantry.yaml")],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment,
                cwd=self.dir, preexec_fn=before_exec,
                pass_fds=() if listen is None else (3,))
        try:
            self.wait_notify("READY=1", deadline)
            self.ready_s = time.monotonic() - started
            self.read_ports()
            if rules and any(n.endswith(".yaml") for n in os.listdir(self.path("rules.d"))):
                wait_until(self.rules_known, deadline, "the rules are loaded, or red")
        except BaseException:
            self.kill()
            raise
        return self

    def wait_notify(self, word, deadline=20):
        """Wait for a message of sd_notify that holds this line; returns all of it."""
        end = time.monotonic() + deadline * SLOW
        while time.monotonic() < end:
            ended = self.proc.poll() is not None
            text = self.notify.next(word, 0.3)
            if text is not None:
                return text
            if ended:
                raise RuntimeError(f"gantryd ended with {self.proc.returncode} before {word}:\n"
                                   f"{self.log()}")
        raise Late(f"gantryd did not say {word}:\n{self.log()}")

    def rules_known(self):
        return bool(self.ctl("rules list")) or self.status().get("rules_red") is not None

    def read_ports(self):
        listen = self.ctl("status")["listen"]
        self.public, self.admin = listen["public"], listen.get("admin")

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as f:
            return f.read()

    def hup(self):
        """SIGHUP; a wait_notify() after it sees only what comes later."""
        self.notify.skip()
        self.proc.send_signal(signal.SIGHUP)

    def stop(self, deadline=15):
        """SIGTERM; returns the exit code."""
        if self.proc is None:
            return None
        if self.proc.poll() is None:
            self.proc.send_signal(signal.SIGTERM)
        return self.wait_end(deadline)

    def wait_end(self, deadline=15):
        try:
            rc = self.proc.wait(deadline * SLOW)
        except subprocess.TimeoutExpired:
            text = self.log()
            self.kill()
            raise Late(f"gantryd did not end within {deadline * SLOW:g} s:\n{text}") from None
        self._forget()
        return rc

    def kill(self):
        """kill -9, of the daemon alone: its workers must notice by themselves."""
        if self.proc is not None:
            if self.proc.poll() is None:
                self.proc.kill()
            self.proc.wait()
            self._forget()

    def _forget(self):
        self.notify.close()
        self.proc = None

    def restart(self):
        self.stop()
        return self.start()

    def close(self):
        try:
            if self.proc is not None:
                self.kill()
        finally:
            if self.own_folder:
                shutil.rmtree(self.dir, ignore_errors=True)

    # -- gantryctl -------------------------------------------------------------

    def ctl_raw(self, *args, output="json", timeout=30, env=None, socket_path=None, wrap=()):
        """(exit code, stdout, stderr) of gantryctl."""
        command = [*wrap, program("gantryctl"), "--socket", socket_path or self.socket,
                   "--output", output, *args]
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout * SLOW,
                              stdin=subprocess.DEVNULL, check=False,
                              env={**os.environ, **(env or {})})
        return done.returncode, done.stdout, done.stderr

    def ctl(self, *args, rc=0):
        """The parsed JSON of a command that must end with rc."""
        words = [*args[0].split(), *args[1:]]
        got, out, err = self.ctl_raw(*words)
        if got != rc:
            raise CtlError(words, got, out, err)
        return json.loads(out) if out.strip() else None

    def status(self):
        return self.ctl("status")

    def show(self, key):
        return self.ctl("show", key)

    def attention(self, **filters):
        return [i for i in self.ctl("attention", "--limit", "1000")
                if all(i.get(k) == v for k, v in filters.items())]

    def deliveries(self, **filters):
        """All deliveries that pass the filters (--state, --connector, --rule, --key)."""
        rows, before = [], None
        while True:
            args = ["deliveries list", "--limit", "1000"]
            for name, value in filters.items():
                args += [f"--{name}", value]
            if before:
                args += ["--before", before]
            page = self.ctl(*args)
            rows += page
            if len(page) < 1000:
                return rows
            before = page[-1]["id"]

    def delivery(self, ident):
        """One delivery by its id, as `show` tells it."""
        for event in self.show(ident)["events"]:
            for row in event["deliveries"]:
                if row["id"] == ident:
                    return row
        raise KeyError(ident)

    def event(self, ident):
        for event in self.show(ident)["events"]:
            if event["id"] == ident:
                return event
        raise KeyError(ident)

    # -- HTTP --------------------------------------------------------------------

    def http(self, method, path, body=None, headers=(), timeout=15):
        return request(self.public, method, path, body, headers, timeout)

    def send_webhook(self, topic, body, source="prodsmart", secret=None, **more):
        """A signed webhook; `more` as in webhook_headers()."""
        body = as_bytes(body)
        secret = self.SECRETS["prodsmart-hook"] if secret is None else secret
        return self.http("POST", f"/hooks/{source}", body,
                         webhook_headers(secret, topic, body, **more))

    def erp_post(self, topic, body, source="erp", token="erp-token", key=None, headers=None):
        """A post of the ERP; token is the name of a secret, or None."""
        pairs = {"Content-Type": "application/json", **(headers or {})}
        if token is not None:
            pairs["Authorization"] = "Bearer " + self.SECRETS.get(token, token)
        if key is not None:
            pairs["Idempotency-Key"] = key
        return self.http("POST", f"/v1/events/{source}/{topic}", as_bytes(body), pairs)

    def erp_get(self, path, token="erp-token"):
        headers = {} if token is None else {
            "Authorization": "Bearer " + self.SECRETS.get(token, token)}
        return self.http("GET", path, None, headers)

    # -- waiting --------------------------------------------------------------------

    def wait_event(self, ident, state, deadline=10):
        """Until an event is in that state; returns it."""
        return wait_until(lambda: (lambda e: e if e["state"] == state else None)(
            self.event(ident)), deadline, f"event {ident} {state}")

    def wait_key(self, key, state, n=1, deadline=10):
        """Until n deliveries of a key are in that state; returns them, oldest first."""
        def look():
            rows = [d for d in self.deliveries(key=key) if d["state"] == state]
            return sorted(rows, key=lambda d: d["id"]) if len(rows) >= n else None
        try:
            return wait_until(look, deadline, f"{n} of key {key} {state}")
        except Late as late:
            raise Late(f"{late}; now: {self.deliveries(key=key)}") from None

    def drain(self, deadline=30):
        """Until nothing moves any more: all mapped, nothing in flight, nothing due."""
        def still():
            now = self.status()
            if now["events"]["received"] or now["deliveries"]["sending"]:
                return None
            if now["deliveries"]["waiting"]:
                held = {i["key"] for i in self.attention() if i["kind"] in
                        ("unknown", "dead", "expired", "conflict")}
                if not held:
                    return None
                for row in self.deliveries(state="waiting"):
                    if row["key"] not in held:
                        return None
            return now
        return wait_until(still, deadline, "drained", every=0.1)


def merge(into, changes):
    """Deep merge; a value of None removes the key."""
    for key, value in changes.items():
        if value is None:
            into.pop(key, None)
        elif isinstance(value, dict) and isinstance(into.get(key), dict):
            merge(into[key], value)
        else:
            into[key] = value
