# SPDX-License-Identifier: MIT
"""kit.py - runs the real gantryd beside gantry-sim in a folder of its own.

Used by the end-to-end tests, `make demo` and `make bench`.  Nothing here
sleeps and hopes: every wait asks one of the product's own interfaces and has
a deadline.  Needs the standard library and PyYAML.

The contract with gantryd: it sends READY=1 to $NOTIFY_SOCKET when it takes
requests, and the `listen` object of `gantryctl status` tells the ports that
it really bound.
"""

import base64
import ctypes
import datetime
import hashlib
import hmac
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import urllib.parse
import uuid

import yaml

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("GANTRY_BUILD") or os.path.join(TOP, "build")
# Sanitizers and slow machines: every deadline is this much longer.
SLOW = float(os.environ.get("GANTRY_SLOW", "4" if "asan" in os.path.basename(BUILD) else "1"))

FORMS = ("sha1-hex", "sha1-base64", "sha1-base64hex",
         "sha256-hex", "sha256-base64", "sha256-base64hex")


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


def _die_with_parent():
    """A killed test run must not leave daemons behind."""
    _PRCTL(1, signal.SIGKILL)


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


class Answer:
    """An HTTP answer; body is bytes."""

    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"<{self.status} {self.body[:300]!r}>"


def request(address, method, path, body=None, headers=(), timeout=15):
    """One request on a connection of its own; headers is a dict or a list of pairs."""
    host, port = address.rsplit(":", 1)
    conn = http.client.HTTPConnection(host, int(port), timeout=timeout * SLOW)
    try:
        conn.putrequest(method, path, skip_accept_encoding=True)
        pairs = list(headers.items() if isinstance(headers, dict) else headers)
        if body is not None and not any(k.lower() == "content-length" for k, _ in pairs):
            pairs.append(("Content-Length", str(len(body))))
        for name, value in pairs:
            conn.putheader(name, value)
        conn.endheaders(body)
        got = conn.getresponse()
        return Answer(got.status, {k.lower(): v for k, v in got.getheaders()}, got.read())
    finally:
        conn.close()


def as_bytes(body):
    if isinstance(body, bytes):
        return body
    if isinstance(body, str):
        return body.encode()
    return json.dumps(body).encode()


def signature(secret, body, form="sha1-hex"):
    """The signature of a webhook body, in one of FORMS."""
    algorithm, encoding = form.split("-")
    mac = hmac.new(as_bytes(secret), body, getattr(hashlib, algorithm))
    if encoding == "hex":
        return mac.hexdigest()
    raw = mac.digest() if encoding == "base64" else mac.hexdigest().encode()
    return base64.b64encode(raw).decode()


def webhook_headers(secret, topic, body, form="sha1-hex", header="x-prodsmart-hmac-sha256",
                    webhook_uuid=None, triggered_at="2026-11-21T19:02:11.123Z"):
    headers = {
        "Content-Type": "application/json",
        "x-prodsmart-topic": topic,
        "x-prodsmart-api-version": "1",
        "x-prodsmart-webhook-uuid": webhook_uuid or str(uuid.uuid4()),
        "x-prodsmart-triggered-at": triggered_at,
    }
    if secret is not None:
        headers[header] = signature(secret, body, form)
    return headers


class Sim:
    """gantry-sim and its control port."""

    SYSTEMS = ("prodsmart", "movilitas", "flex2b", "erp")

    def __init__(self, *args):
        self.proc = subprocess.Popen([program("gantry-sim"), *args], stdout=subprocess.PIPE,
                                     text=True, preexec_fn=_die_with_parent)
        line = self.proc.stdout.readline()
        if not line:
            raise RuntimeError(f"gantry-sim ended with {self.proc.wait()}")
        self.ports = json.loads(line)
        self.control = f"127.0.0.1:{self.ports['control']}"

    def address(self, system):
        return f"127.0.0.1:{self.ports[system]}"

    def url(self, system):
        return f"http://{self.address(system)}"

    def ask(self, method, path, obj=None):
        body = None if obj is None else json.dumps(obj).encode()
        got = request(self.control, method, path, body)
        if got.status != 200:
            raise ValueError(f"gantry-sim: {method} {path}: {got}")
        return got.json()

    def fault(self, system, kind, **more):
        """Misbehave; see contrib/gantry-sim/README.md.  Returns the fault's number."""
        return self.ask("POST", "/fault", {"system": system, "kind": kind, **more})["id"]

    def clear(self, fault=None):
        self.ask("DELETE", "/fault" + (f"?id={fault}" if fault else ""))

    def hits(self, fault):
        return next(f["hits"] for f in self.ask("GET", "/fault") if f["id"] == fault)

    def state(self, **systems):
        if systems:
            self.ask("POST", "/state", systems)
        return self.ask("GET", "/state")

    def count(self):
        return self.ask("GET", "/journal/count")

    def journal(self, system=None, path=None, after=0, tokens=False):
        """What was received, oldest first; `json` is the parsed body or None."""
        query = {"after": after}
        if system:
            query["system"] = system
        if path:
            query["path"] = path
        rows = self.ask("GET", "/journal?" + urllib.parse.urlencode(query, safe="/"))
        for row in rows:
            try:
                row["json"] = json.loads(row["body"])
            except (TypeError, ValueError):
                row["json"] = None
        hidden = ("/v1/generatetoken", "/v1/api_auth", "/api/authorization")
        return [r for r in rows if tokens or r["path"] not in hidden]

    def tokens(self, system):
        """The token requests of a system."""
        return [r for r in self.journal(system, tokens=True) if r["body"] is None]

    def reset(self):
        self.ask("POST", "/reset")

    def stop(self):
        if self.proc.poll() is None:
            self.proc.terminate()
            self.proc.wait(10)
        self.proc.stdout.close()


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
    }

    def __init__(self, sim, rules=None, tables=None, config=None, folder=None):
        """rules: {file name: YAML text}; config: overrides, merged deeply; None deletes."""
        self.sim = sim
        self.own_folder = folder is None
        self.dir = folder or tempfile.mkdtemp(prefix="gan-")
        self.proc = None
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
            "store": {"engine": "sqlite", "path": "data/gantry.db", "min_free": "1MiB"},
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
            _die_with_parent()
            if listen is not None:
                os.dup2(listen.fileno(), 3, inheritable=True)

        with open(self.log_path, "ab") as log:
            self.proc = subprocess.Popen(
                [*wrap, program("gantryd"), "--config", self.path("gantry.yaml")],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment,
                cwd=self.dir, preexec_fn=before_exec,
                pass_fds=() if listen is None else (3,))
        try:
            self.wait_notify("READY=1", deadline)
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
