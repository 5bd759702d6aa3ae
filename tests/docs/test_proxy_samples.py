# SPDX-License-Identifier: MIT
"""The reverse-proxy samples: accepted by the proxies, and they do what they say."""
import http.server
import os
import pathlib
import shutil
import socket
import ssl
import subprocess
import threading
import time
import urllib.error
import urllib.request

import pytest

SAMPLES = pathlib.Path(__file__).resolve().parents[2] / "contrib" / "proxy"


def program(name):
    path = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
    if path is None:
        pytest.skip(f"{name} is not installed")
    return path


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@pytest.fixture(scope="module")
def cert(tmp_path_factory):
    """A self-signed certificate: key, certificate, both in one."""
    folder = tmp_path_factory.mktemp("cert")
    key, crt, pem = folder / "key.pem", folder / "crt.pem", folder / "both.pem"
    subprocess.run(
        [program("openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1",
         "-subj", "/CN=localhost", "-keyout", key, "-out", crt],
        check=True, capture_output=True)
    pem.write_bytes(crt.read_bytes() + key.read_bytes())
    return key, crt, pem


class Backend(http.server.BaseHTTPRequestHandler):
    """Stands for Gantry: keeps what arrives."""

    protocol_version = "HTTP/1.1"

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.got.append((self.path, self.headers.get_all("X-Forwarded-For"), body))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_POST = answer

    def log_message(self, *args):
        pass


@pytest.fixture
def backend():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Backend)
    server.daemon_threads = True
    server.got = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def nginx_files(tmp_path, cert, port=8443, backend=8480):
    """The sample as it would be in conf.d, with its own paths, and a main file around it."""
    key, crt, _ = cert
    text = (SAMPLES / "nginx.conf").read_text()
    for old, new in (("listen 443 ssl", f"listen 127.0.0.1:{port} ssl"),
                     ("127.0.0.1:8480;", f"127.0.0.1:{backend};"),
                     ("/etc/ssl/gantry/fullchain.pem", str(crt)),
                     ("/etc/ssl/gantry/privkey.pem", str(key))):
        assert old in text
        text = text.replace(old, new)
    (tmp_path / "gantry.conf").write_text(text)
    temp = "".join(f"{kind}_temp_path {tmp_path}/{kind};\n"
                   for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    main = tmp_path / "nginx.conf"
    # As root, nginx would give up its rights and then not reach this folder.
    user = "user root;\n" if os.geteuid() == 0 else ""
    main.write_text(f"{user}daemon off;\npid {tmp_path}/pid;\nerror_log {tmp_path}/error.log;\n"
                    f"events {{}}\nhttp {{\naccess_log off;\n{temp}"
                    f"include {tmp_path}/gantry.conf;\n}}\n")
    return main


def haproxy_file(tmp_path, cert, port=8443, backend=8480):
    text = (SAMPLES / "haproxy.cfg").read_text()
    for old, new in (("bind :443", f"bind 127.0.0.1:{port}"),
                     ("server gantry 127.0.0.1:8480", f"server gantry 127.0.0.1:{backend}"),
                     ("/etc/haproxy/certs/gantry.pem", str(cert[2]))):
        assert old in text
        text = text.replace(old, new)
    path = tmp_path / "haproxy.cfg"
    path.write_text(text)
    return path


def test_nginx_accepts_its_sample(tmp_path, cert):
    done = subprocess.run([program("nginx"), "-t", "-e", tmp_path / "error.log",
                           "-c", nginx_files(tmp_path, cert)],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "[warn]" not in done.stderr, done.stderr


def test_haproxy_accepts_its_sample(tmp_path, cert):
    done = subprocess.run([program("haproxy"), "-c", "-f", haproxy_file(tmp_path, cert)],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr, done.stderr


def call(port, path, body=None, headers=None):
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    request = urllib.request.Request(f"https://127.0.0.1:{port}{path}", data=body,
                                     headers=headers or {})
    try:
        with urllib.request.urlopen(request, context=context, timeout=10) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def wait_until_up(port, process):
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        assert process.poll() is None, process.stderr.read()
        try:
            if call(port, "/v1/x") == 200:
                return
        except OSError:
            pass
    raise AssertionError("the proxy did not come up")


@pytest.mark.parametrize("name", ["nginx", "haproxy"])
def test_proxy_passes_bodies_untouched(name, tmp_path, cert, backend):
    port = free_port()
    if name == "nginx":
        args = [program("nginx"), "-e", tmp_path / "error.log",
                "-c", nginx_files(tmp_path, cert, port, backend.server_port)]
    else:
        args = [program("haproxy"), "-db", "-f",
                haproxy_file(tmp_path, cert, port, backend.server_port)]
    body = bytes(range(256)) * 1000 + b"\r\n{ \"a\" : 1.0 }\n"
    with subprocess.Popen(args, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL) as process:
        try:
            wait_until_up(port, process)
            backend.got.clear()
            assert call(port, "/hooks/prodsmart", body, {"X-Forwarded-For": "203.0.113.9"}) == 200
            mine = [got for got in backend.got if got[0] != "/readyz"]
            assert mine == [("/hooks/prodsmart", ["127.0.0.1"], body)]
            assert call(port, "/readyz") == 404
            assert call(port, "/metrics") == 404
            assert call(port, "/hooks/prodsmart", b"x" * (1024 * 1024)) == 200
            try:
                assert call(port, "/hooks/prodsmart", b"x" * (1024 * 1024 + 1)) == 413
            except (urllib.error.URLError, ConnectionError):
                pass  # refused before the body was read: the answer may be lost
            assert len([got for got in backend.got if got[0] != "/readyz"]) == 2
        finally:
            process.terminate()
