# SPDX-License-Identifier: MIT
"""test_secrets.py - no secret outside the folder of secrets and the memory of the daemon.

One gateway is led through everything that could spill one: wrong and refused
credentials, wrong signatures, vendors that repeat what they were sent, red
reloads, debug logs, a backup, a crash.  Then all that it wrote, answers and
shows is searched for every secret: as it is, in base64, in hex, quoted.
"""

import base64
import glob
import json
import os
import re
import resource
import signal
import subprocess
import urllib.parse

import kit
import process
import pytest
import rules
from vendor import Vendor, ok

API = """
rule: to-{to}
from: erp/api
to: {to}/put
key: '"k/{to}"'
map: .
tests:
  - name: as it is
    event: {{a: 1}}
    expect: [{{a: 1}}]
"""
ALL = {"flex.yaml": rules.FLEX_ERP, "release.yaml": rules.RELEASE,
       "basic.yaml": API.format(to="basic"), "oauth.yaml": API.format(to="oauth")}
API_SECRETS = {"api-pass": "api+pass/word=17", "api-client": "client s&cret:42"}


def apis(vendor, client_auth):
    """Two JSON APIs of the vendor."""
    auths = {"basic": {"basic": {"user": "me", "password": "secret:api-pass"}},
             "oauth": {"oauth2": {
                 "token_url": vendor.url + "/oauth/token", "client_id": "me",
                 "client_secret": "secret:api-client", "client_auth": client_auth}}}
    return {name: {"kind": "http", "base_url": vendor.url, "auth": auth,
                   "operations": {"put": {"path": "/put"}}} for name, auth in auths.items()}


def forms(secret):
    """What of a secret must be found nowhere: name -> bytes."""
    raw = secret.encode()
    found = {"plain": raw, "hex": raw.hex().encode(), "HEX": raw.hex().upper().encode(),
             "quoted": urllib.parse.quote(secret, safe="").encode()}
    for skip in range(3):  # inside a longer text that is encoded: the middle is the same
        whole = base64.b64encode(b"\0" * skip + raw)
        found[f"base64+{skip}"] = whole[(0, 2, 3)[skip]:(skip + len(raw)) * 8 // 6]
    return found


def search(secrets, haystacks):
    """[(secret's name, form, where)] of all that is found."""
    return [(name, form, where) for where, text in haystacks.items()
            for name, value in secrets.items() for form, needle in forms(value).items()
            if needle in text]


def test_the_search_finds_what_is_there():
    """The search itself has power."""
    value = "sim-3pl-password"
    basic = base64.b64encode(b"sim-3pl:" + value.encode())
    for text in (value.encode(), b"Basic " + basic, value.encode().hex().encode(),
                 base64.b64encode(b"xy" + value.encode() + b"z")):
        assert search({"p": value}, {"here": b"..." + text + b"..."}), text


def echo(req, sock):
    """Repeat everything that came, in every form, with a status that is no success."""
    said = [req.raw.decode("latin-1")]
    for header in req.headers:
        value = header.partition(b":")[2].strip()
        for text in (value, value.split(b" ")[-1]):
            said += [base64.b64encode(text).decode(), text.hex(), urllib.parse.quote(text),
                     base64.b64encode(b"x" + text).decode()]
            # An escape hides it from who does not read JSON.
            said.append("".join(f"\\u{c:04x}" for c in text))
    words = json.dumps(said).replace("\\\\u", "\\u")
    body = ('{"ResponseCode":500,"success":false,"ResponseMessage":' + json.dumps(
        said[0]) + ',"message":"' + said[-1] + '","all":' + words + "}").encode()
    if req.raw.startswith(b"POST /oauth/token "):  # what of it is kept is short
        last = req.raw.decode("latin-1").rsplit("&", 1)[-1]
        head = b" ".join(req.header("authorization") or []).decode()
        sock.sendall(ok(json.dumps({"error": "temporarily_unavailable", "error_description":
                                    head + last[-120:]}).encode(), status="400 No"))
        return
    token = (req.header("authorization") or req.header("x-access-token") or [b"-"])[0].decode()
    sock.sendall(ok(body, f"X-Echo: {token}", f"Set-Cookie: t={token}", f"Retry-After: {token}",
                    status=f"500 {token}"))


def show_everything(gan):
    """What people and programs may ask for: name -> bytes."""
    said = {}
    for words in ("status", "config show", "config check", "events list",
                  "deliveries list", "attention", "audit", "quarantine list", "lanes", "rules list",
                  "rules check", "rules test", "doctor", "show k/a --bodies", "show p/a --bodies",
                  "show k/b --bodies", "show k/basic --bodies", "show k/oauth --bodies",
                  "store check", "reload"):
        for output in ("json", "table"):
            _, out, err = gan.ctl_raw(*words.split(), output=output)
            said[f"gantryctl {words} ({output})"] = (out + err).encode()
    for path in ("/metrics", "/admin/v1/status", "/healthz", "/nowhere"):
        said[f"admin {path}"] = kit.request(gan.admin, "GET", path).body
    return said


def files_of(gan):
    """All that was written, but the folder of secrets."""
    found = {}
    for path in glob.glob(gan.dir + "/**/*", recursive=True):
        if os.path.isfile(path) and not path.startswith(gan.path("secrets") + "/"):
            with open(path, "rb") as f:
                found[path[len(gan.dir):]] = f.read()
    return found


def processes_of(gan):
    found = {}
    for pid in [gan.proc.pid, *process.children(gan.proc.pid)]:
        for name in ("cmdline", "environ", "status", "comm", "stat", "maps", "mountinfo"):
            found[f"/proc/{pid}/{name}"] = process.read(pid, name)
    return found


def refused(gan):
    """Answers to senders that are not who they say: name -> bytes."""
    secret = gan.SECRETS["erp-token"]
    said = {}
    for n, value in enumerate((secret + "x", secret[:-1], secret.upper(), "Basic " + secret)):
        got = gan.http("POST", "/v1/events/erp/line", b"{}", {
            "Authorization": "Bearer " + value, "Content-Type": "application/json"})
        said[f"401 of the ERP {n}"] = str(got.headers).encode() + got.body
        assert got.status == 401
    got = gan.http("POST", "/v1/events/erp/line", b"{", {
        "Authorization": "Bearer " + secret, "Content-Type": "application/json"})
    said["400 of the ERP"] = str(got.headers).encode() + got.body
    for n in range(5):
        got = gan.send_webhook("lot_created", {"n": n}, secret="wrong")
        said[f"401 of a webhook {n}"] = str(got.headers).encode() + got.body
    return said


@pytest.mark.parametrize("dynamic", [False, True], ids=["static", "dynamic"])
def test_no_secret_is_found_anywhere(make_gateway, sim, dynamic):
    with Vendor() as vendor:
        config = {"connectors": {"flex2b": {"base_url": vendor.url},
                                 **apis(vendor, "post" if dynamic else "basic")}}
        if dynamic:
            config["connectors"]["movilitas"] = {
                "token": None, "api_key": "secret:mv-key", "api_secret": "secret:mv-secret"}
        else:
            config["connectors"]["movilitas"] = {"base_url": vendor.url}
        sim.state(movilitas={"sscc_default": "Assigned"})
        gan = make_gateway(ALL, config=config, start=False)
        for name, value in API_SECRETS.items():
            gan.secret(name, value)
        gan.start()
        gan.proc.send_signal(signal.SIGUSR2)  # all that debug logs say
        vendor.script = echo
        said = refused(gan)
        gan.erp_post("line", {"n": 1, "key": "a"})
        gan.erp_post("release", {"key": "a", "ssccs": [rules.SSCCS[0]]})
        gan.erp_post("api", {"a": 1})
        gan.wait_key("k/a", "unknown")
        gan.wait_key("k/basic", "unknown")
        kit.wait_until(lambda: gan.deliveries(key="k/oauth")[0]["attempts"], 10, "no token")
        gan.wait_key("p/a", "unknown" if not dynamic else "delivered")
        # Credentials that are refused, and a file that spells one out.
        gan.secret("f2b-pass", "another-wrong-password")
        sim.state(movilitas={"api_secret": "changed"} if dynamic else {"static_token": "changed"})
        sim.state(movilitas={"forget_tokens": True})
        vendor.script = lambda req, sock: sock.sendall(ok(
            b'{"ResponseCode":403,"ResponseMessage":"' + req.header("authorization")[0] + b'"}'
            if req.header("authorization") else b"{}", status="403 No"))
        gan.ctl("reload")
        gan.erp_post("line", {"n": 2, "key": "b"})
        gan.erp_post("release", {"key": "b", "ssccs": [rules.SSCCS[1]]})
        kit.wait_until(lambda: gan.attention(kind="connector-paused"), 10, "paused")
        gan.config["sources"]["erp"]["tokens"].append(gan.SECRETS["other-token"])
        gan.write("gantry.yaml", json.dumps(gan.config))
        said["a plain secret in the file"] = "".join(
            str(x) for x in gan.ctl_raw("reload")).encode()
        os.unlink(gan.path("gantry.yaml"))  # it is not the product that wrote it there
        gan.config["sources"]["erp"]["tokens"].pop()
        gan.write_config()
        said.update(show_everything(gan))
        gan.ctl("backup", gan.path("data/copy.db"))
        secrets = {**gan.SECRETS, **API_SECRETS, "wrong password": "another-wrong-password",
                   **{f"token {i}": t for i, t in enumerate(vendor.issued)}}
        assert vendor.issued and not vendor.wrong
        secrets.pop("f2b-user")  # a name; below it is looked for with its password
        secrets["basic"] = base64.b64encode(b"sim-3pl:sim-3pl-password").decode()
        secrets["api basic"] = base64.b64encode(f"me:{API_SECRETS['api-pass']}".encode()).decode()
        secrets["client basic"] = base64.b64encode(b"me:client%20s%26cret%3A42").decode()
        said.update(processes_of(gan))
        said.update({f"before the stop: {k}": v for k, v in files_of(gan).items()})
        gan.stop()
        said.update(files_of(gan))
        assert any("gantry.db" in k for k in said) and any("copy.db" in k for k in said)
        assert any("-wal" in k for k in said)
        assert len(said) > 50
        assert search(secrets, said) == []
        # What was masked is there, and can be read.
        assert "(masked)" in said["gantryctl show k/a --bodies (json)"].decode()
        assert "(masked)" in said["gantryctl show k/basic --bodies (json)"].decode()
        assert "/oauth/token" in said["gantryctl show k/oauth --bodies (json)"].decode()
        assert "****" in said["gantryctl show k/a --bodies (json)"].decode()


def core_pattern():
    with open("/proc/sys/kernel/core_pattern", encoding="utf-8") as f:
        return f.read().strip()


def dumps_core(command, cwd):
    """Does this end, by SIGABRT, with a core?"""
    proc = subprocess.Popen(command, cwd=cwd, stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL, preexec_fn=allow_cores)
    _, status = os.waitpid(proc.pid, 0)
    proc.returncode = -os.WTERMSIG(status)
    return os.WCOREDUMP(status)


def allow_cores():
    resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def test_a_crash_leaves_no_core(make_gateway, tmp_path):
    if resource.getrlimit(resource.RLIMIT_CORE)[1] == 0:
        pytest.skip("this machine allows no core dumps, so there is nothing to prevent")
    if not dumps_core(["/bin/sh", "-c", "kill -ABRT $$"], tmp_path):
        pytest.skip(f"a shell leaves no core here either (core_pattern {core_pattern()})")
    gan = make_gateway({"flex.yaml": rules.FLEX_ERP}, start=False)
    gan.start(wrap=["/bin/sh", "-c", 'ulimit -c unlimited; exec "$@"', "sh"])
    gan.erp_post("line", {"n": 1, "key": "a"})
    gan.wait_key("k/a", "delivered")
    for pid in (gan.proc.pid, *process.children(gan.proc.pid)):
        assert re.search(rb"Max core file size +0 +0 ", process.read(pid, "limits"))
    worker = process.children(gan.proc.pid)[0]
    os.kill(worker, signal.SIGABRT)
    kit.wait_until(lambda: worker not in process.children(gan.proc.pid), 10, "the worker died")
    gan.proc.send_signal(signal.SIGABRT)
    _, status = os.waitpid(gan.proc.pid, 0)
    gan.proc.returncode = -os.WTERMSIG(status)
    assert os.WTERMSIG(status) == signal.SIGABRT and not os.WCOREDUMP(status)
    assert glob.glob(gan.dir + "/**/core*", recursive=True) == []
