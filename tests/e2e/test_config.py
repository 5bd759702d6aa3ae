# SPDX-License-Identifier: MIT
"""test_config.py - gantry.yaml: errors with their place, reload, secrets, the schema."""

import json
import os
import re
import socket
import sqlite3
import subprocess

import kit
import pytest
import rules
import yaml


def check(gan, *args):
    done = subprocess.run(
        [kit.program("gantryd"), "-c", gan.path("gantry.yaml"), "-t", *args],
        capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    return done.returncode, done.stdout + done.stderr


def test_good(make_gateway):
    gan = make_gateway({"f.yaml": rules.FLEX}, start=False)
    code, text = check(gan)
    assert code == 0, text
    assert not os.path.exists(gan.path("data/gantry.db")), "-t opens no database"


# (what is replaced, by what, place and words of the error)
MISTAKES = [
    ("site:", "sit:", ":2:1", "did you mean 'site'"),
    ("max_body: 1MiB", "max_body: 1000", ":", "unit"),
    ("max_body: 1MiB", "max_body: 1TiB", ":", "16MiB"),
    ("workers: 2", "workers: two", ":", "two"),
    ("workers: 2", "workers: 0", ":", "workers"),
    ("numbers: exact", "numbers: exakt", ":", "exact"),
    ("version: 1", "version: 2", ":1:", "version"),
    ("version: 1", "version: 1\nversion: 1", ":2:", "version"),
    ("site: test", "site: [", ":", ""),
    ("kind: http\n", "kind: htpp\n", ":", "did you mean 'http'"),
    ("secret:erp-token\n", "secret:no-such\n", ":", "no-such"),
    ("secret:erp-token\n", "plain-text-token\n", ":", "secret:"),
    ("base_url: http://127.0.0.1:9\n", "base_url: http://api.example.com\n", ":", "https"),
    ("time_zone: Europe/Lisbon", "time_zone: Europe/Lisbonne", ":", "Europe/Lisbonne"),
    ("127.0.0.1:0", "localhost:0", ":", "localhost"),
    ("rules: rules.d", "rules: no-folder", None, "no-folder"),
]


def sample(gan):
    gan.config["mapping"]["numbers"] = "exact"
    gan.config["connectors"]["movilitas"]["base_url"] = "http://127.0.0.1:9"
    gan.write_config()
    with open(gan.path("gantry.yaml"), encoding="utf-8") as f:
        return f.read()


@pytest.mark.parametrize("old, new, place, words", MISTAKES, ids=[m[1].strip() for m in MISTAKES])
def test_a_mistake_is_shown(make_gateway, old, new, place, words):
    gan = make_gateway(start=False)
    text = sample(gan)
    assert old in text, "the sample changed"
    gan.write("gantry.yaml", text.replace(old, new, 1))
    code, told = check(gan)
    assert code == 78, told
    assert words in told, told
    assert place is None or "gantry.yaml" + place in told, told
    assert "Sanitizer" not in told


def test_the_error_shows_the_line_and_a_caret(make_gateway):
    gan = make_gateway(start=False)
    text = sample(gan)
    gan.write("gantry.yaml", text.replace("workers: 2", "workerz: 2"))
    line = 1 + text[:text.index("workers: 2")].count("\n")
    code, told = check(gan)
    assert code == 78
    assert f"gantry.yaml:{line}:3" in told
    shown = told.split("\n")
    excerpt = next(i for i, row in enumerate(shown) if "workerz: 2" in row)
    assert shown[excerpt + 1].index("^") == shown[excerpt].index("workerz")


def test_several_mistakes_are_told_at_once(make_gateway):
    gan = make_gateway(start=False)
    gan.write("gantry.yaml", sample(gan).replace("workers: 2", "workerz: 2").replace(
        "numbers: exact", "numbers: exakt"))
    code, told = check(gan)
    assert code == 78 and "workerz" in told and "exakt" in told


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o666])
def test_a_secret_that_others_can_read_is_refused(make_gateway, mode):
    gan = make_gateway(start=False)
    os.chmod(gan.path("secrets/erp-token"), mode)
    code, told = check(gan)
    assert code == 78 and "every user" in told and "erp-token" in told, told


def test_empty_and_short_secrets(make_gateway):
    gan = make_gateway(start=False)
    gan.secret("erp-token", "")
    assert check(gan)[0] == 78
    gan.secret("erp-token", gan.SECRETS["erp-token"])
    gan.secret("prodsmart-hook", "Zq7")
    code, told = check(gan)
    assert code == 0 and "prodsmart-hook" in told and "Zq7" not in told


def test_a_credential_of_the_service_manager_wins(make_gateway, tmp_path):
    gan = make_gateway(start=False)
    os.unlink(gan.path("secrets/erp-token"))
    os.makedirs(gan.path("creds"))
    gan.write("creds/erp-token", "from-credential-0123456789", 0o440)
    gan.write("creds/gantry_erp-token", "from-credential-0123456789", 0o440)
    gan.start(env={"CREDENTIALS_DIRECTORY": gan.path("creds")})
    assert gan.erp_post("x", {}, token="from-credential-0123456789").status == 202


def test_the_start_ends_with_78(make_gateway):
    gan = make_gateway(start=False)
    gan.write("gantry.yaml", "version: 1\nnonsense: 1\n")
    done = subprocess.run([kit.program("gantryd"), "-c", gan.path("gantry.yaml")],
                          capture_output=True, text=True, check=False, timeout=20)
    assert done.returncode == 78 and "nonsense" in done.stderr
    done = subprocess.run([kit.program("gantryd"), "-c", gan.path("none.yaml"), "-t"],
                          capture_output=True, text=True, check=False, timeout=20)
    assert done.returncode == 78 and "none.yaml" in done.stderr
    done = subprocess.run([kit.program("gantryd"), "--nonsense"], capture_output=True,
                          text=True, check=False, timeout=20)
    assert done.returncode == 64


def test_red_rules_fail_the_check(make_gateway):
    gan = make_gateway({"f.yaml": rules.FLEX.replace("k/a", "k/b")}, start=False)
    code, told = check(gan)
    assert code == 78 and "rules.d/f.yaml:" in told


def test_a_second_daemon_on_the_same_store_is_refused(make_gateway):
    gan = make_gateway()
    done = subprocess.run([kit.program("gantryd"), "-c", gan.path("gantry.yaml")],
                          capture_output=True, text=True, check=False, timeout=30 * kit.SLOW,
                          cwd=gan.dir)
    assert done.returncode == 73 and "another gantryd" in done.stderr
    assert gan.ctl("status")["ready"] is True, "the first one is not disturbed"


def ends(gan):
    """Exit code and words of a start that does not come up."""
    done = subprocess.run([kit.program("gantryd"), "-c", gan.path("gantry.yaml")],
                          capture_output=True, text=True, check=False, timeout=30 * kit.SLOW,
                          cwd=gan.dir)
    return done.returncode, done.stderr


def test_exit_codes_of_a_start(make_gateway):
    """Those of gantryd(8); none but 78 keeps systemd from trying again."""
    gan = make_gateway(start=False)
    gan.start()
    gan.stop()
    path = gan.path("data/gantry.db")
    with open(path, "rb") as f:
        good = f.read()
    sqlite(path, "PRAGMA user_version=99")
    code, told = ends(gan)
    assert code == 73 and "format 99" in told and "restore the backup" in told, told
    with open(path, "wb") as f:
        f.write(good[:4096] + bytes([0xa5]) * (len(good) - 4096))
    code, told = ends(gan)
    assert code == 65 and "is damaged" in told, told
    with open(path, "wb") as f:
        f.write(b"t" * 8192)
    code, told = ends(gan)
    assert code == 73 and "is no database" in told, told
    os.unlink(path)
    gan.reconfigure(store={"path": "nowhere/gantry.db"})
    code, told = ends(gan)
    assert code == 73 and "nowhere" in told, told
    gan.reconfigure(store={"path": "data/gantry.db"})
    taken = socket.create_server(("127.0.0.1", 0))
    gan.reconfigure(listen={"public": {"address": f"127.0.0.1:{taken.getsockname()[1]}"}})
    code, told = ends(gan)
    assert code == 71 and "public listener" in told, told
    taken.close()
    assert subprocess.run([kit.program("gantryd"), "--nonsense"], capture_output=True,
                          check=False).returncode == 64


def sqlite(path, statement):
    db = sqlite3.connect(path)
    db.execute(statement)
    db.close()


@pytest.mark.parametrize("how", ["ctl", "hup"])
def test_reload_takes_the_new_and_keeps_the_old(make_gateway, how):
    gan = make_gateway({"f.yaml": rules.FLEX})
    generation = gan.status()["generation"]

    def reload(good):
        if how == "ctl":
            assert gan.ctl_raw("reload")[0] == (0 if good else 1)
            return
        gan.hup()
        # A refused reload ends with READY=1 too; the text of last_reload tells.
        gan.wait_notify("READY=1", 10)

    gan.secret("erp-token", "rotated-token-0123456789")
    reload(True)
    assert gan.status()["generation"] > generation
    generation = gan.status()["generation"]
    assert gan.erp_post("x", {}).status == 401
    assert gan.erp_post("x", {}, token="rotated-token-0123456789").status == 202
    gan.write("gantry.yaml", yaml.safe_dump({**gan.config, "sitee": "x"}))
    reload(False)
    status = gan.status()
    assert status["generation"] == generation
    assert "sitee" in json.dumps(status["last_reload"])
    assert "sitee" in gan.log()
    assert gan.erp_post("x", {}, token="rotated-token-0123456789").status == 202
    gan.write_config()
    reload(True)
    assert gan.status()["generation"] > generation


def test_a_reload_cannot_move_the_listener_silently(make_gateway):
    gan = make_gateway(start=False)
    gan.start()
    gan.reconfigure(listen={"public": {"address": "127.0.0.1:1"}})
    code, out, err = gan.ctl_raw("reload")
    assert gan.http("GET", "/healthz").status == 200
    assert code == 1 or "restart" in out + err + gan.log()


def test_later_features_load_with_one_warning(make_gateway):
    gan = make_gateway(start=False)
    gan.reconfigure(alerts=[{"when": "attention > 0", "to": "https://hooks.example.com/x"}])
    code, told = check(gan)
    assert code == 0, told
    assert told.count("not built yet") == 1 and "gantry.yaml:" in told, told


def test_the_schema_accepts_the_sample():
    done = subprocess.run([kit.program("gantryd"), "--print-schema"], capture_output=True,
                          text=True, check=True)
    schema = json.loads(done.stdout)
    jsonschema = pytest.importorskip("jsonschema")
    path = os.path.join(kit.TOP, "etc", "gantry.yaml")
    if not os.path.exists(path):
        pytest.skip("no sample yet")
    with open(path, encoding="utf-8") as f:
        config = yaml.safe_load(f)
    jsonschema.validate(config, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**config, "sitee": 1}, schema)


def test_no_environment_substitution(make_gateway):
    gan = make_gateway(start=False)
    gan.reconfigure(site="${HOME}")
    gan.start()
    assert gan.ctl("config show")["site"] == "${HOME}"


def test_deliveries_of_a_removed_connector_are_not_forgotten(make_gateway, sim):
    """Nobody would ever send them: a person must hear of it, and can put the connector back."""
    gan = make_gateway({"flex.yaml": rules.FLEX_ERP})
    gan.ctl("pause", "flex2b", "--reason", "maintenance")
    assert gan.erp_post("line", {"n": 1, "key": "a"}).status == 202
    gan.wait_key("k/a", "waiting")
    kept = gan.config["connectors"].pop("flex2b")
    gan.write("rules.d/flex.yaml", rules.RELEASE)
    gan.write_config()
    gan.ctl("reload")
    kit.wait_until(lambda: gan.attention(kind="config"), 10, "the item on the attention list")
    item, = gan.attention(kind="config")
    assert item["connector"] == "flex2b" and "no longer in the configuration" in item["reason"]
    assert gan.status()["attention"] == len(gan.attention())
    gan.config["connectors"]["flex2b"] = kept
    gan.write_config()
    gan.ctl("reload")
    assert not gan.attention(kind="config")
    gan.ctl("resume", "flex2b")
    gan.wait_key("k/a", "delivered")


def test_an_address_that_cannot_be_had_names_a_way_out(make_gateway):
    gan = make_gateway(start=False)
    text = sample(gan)
    gan.write("gantry.yaml", re.sub(r"127\.0\.0\.1:\d+", "192.0.2.1:8480", text, count=1))
    done = subprocess.run([kit.program("gantryd"), "-c", gan.path("gantry.yaml")], text=True,
                          capture_output=True, check=False, timeout=30)
    assert done.returncode == 71, done.stderr
    assert done.stderr.count("public listener") == 1
    assert "192.0.2.1 port 8480 (no interface of this machine has that address)" in done.stderr
