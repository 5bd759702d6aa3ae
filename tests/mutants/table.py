# SPDX-License-Identifier: MIT
"""table.py - deliberate faults, each with the tests that must notice it.

A mutant is what somebody might do to Gantry by mistake, or to make it faster.
Its edits are exact: `old` stands in the file exactly once, else `make lint`
says so (then find the place again: the fault matters, not the line).  A killer
is a program of tests/unit with one of its tests, "test_store_flow:name", or a
pytest node; `sign` is a regular expression that its output must have, so that
a mutant is killed for its own reason and not by some other accident.
"""

import collections

Mutant = collections.namedtuple("Mutant", "name edits killers sign")
MUTANTS = []


def mutant(name, *edits, killers, sign):
    """edits: (file, old, new) in any number."""
    MUTANTS.append(Mutant(name, edits, killers, sign))


POWER = "tests/fault/test_power.py::test_a_power_cut_at_any_moment_loses_nothing"

# -- a 2xx means stored ----------------------------------------------------------------

mutant("synchronous is NORMAL instead of FULL",
       ("src/store/db.c", "PRAGMA synchronous=FULL;", "PRAGMA synchronous=NORMAL;"),
       ("src/store/db.c", "if (sync != 2)", "if (sync != 1)"),
       killers=[POWER], sign="LOST")
mutant("synchronous is NORMAL, and only that",
       ("src/store/db.c", "PRAGMA synchronous=FULL;", "PRAGMA synchronous=NORMAL;"),
       killers=["test_store_durable:nobody_else_can_read_the_files"],
       sign=r"synchronous is 1, 2 \(FULL\) is needed")
mutant("the answer goes before the COMMIT",
       ("src/store/group.c", "	int rc = run_ingest(s);\n",
        "	int rc = run_ingest(s);\n\n	publish(s, false);\n"),
       # The transaction points into its jobs: to be wrong in one thing only, they stay.
       ("src/store/store.c", "			job->ops->done(job);\n		gan_store_job_free(&job);",
        "			job->ops->done(job);"),
       killers=[POWER], sign="LOST")
mutant("the emergency spool is not synced",
       ("src/store/spool.c", "		if (rc == GAN_OK)\n			rc = sync_file(sp, err);\n	}",
        "	}"),
       killers=[POWER], sign="LOST .* spooled")
mutant("the webhook is answered when it is queued",
       ("src/inbound/webhook.c", "	(void)gan_steal(&held); /* on_stored()'s now */",
        "	(void)gan_steal(&held);\n	(void)gan_request_answer(x->req, &(struct gan_answer){\n"
        "	    .status = 200, .type = \"application/json\", .body = \"{}\", .len = 2 });"),
       killers=["test_webhook:a_2xx_means_stored"], sign="503")
mutant("a failed COMMIT is taken for a good one",
       ("src/store/group.c", "rc = gan_db_run_vals(s->db, GAN_SQL_COMMIT, NULL, 0);",
        "(void)gan_db_run_vals(s->db, GAN_SQL_COMMIT, NULL, 0);"),
       killers=["test_store_durable:an_io_error_fails_everything_and_says_so"], sign="")
mutant("too little free space is ignored",
       ("src/store/ingest.c", "	if (s->low_space) {", "	if (false) {"),
       killers=["test_store_durable:too_little_free_space_refuses_ingest_only"], sign="")
mutant("the database is locked too late",
       ("src/store/db.c", "	rc = pragma_is(db, \"PRAGMA locking_mode=EXCLUSIVE\", \"exclusive\", err);",
        "	(void)gan_db_exec(db, \"PRAGMA cache_size=-4096\");\n"
        "	rc = pragma_is(db, \"PRAGMA locking_mode=EXCLUSIVE\", \"exclusive\", err);"),
       killers=["tests/fault/test_start.py"], sign="gantry.db-shm")

# -- nothing stored is lost, nothing twice ------------------------------------------------

mutant("an event is dropped on a mapping error",
       ("src/commit.c", "	if (r->reject != NULL) {", "	if (r->reject != NULL)\n"
        "		return true;\n	if (r->reject != NULL) {"),
       killers=["test_pipeline:every_event_is_counted_as_what_became_of_it"],
       sign="GAN_EVENT_REJECTED")
mutant("duplicates are not looked for",
       ("src/store/ingest.c", "	if (first > 0)\n		return duplicate",
        "	if (false)\n		return duplicate"),
       killers=["test_store_durable:duplicates_are_found_before_and_after_a_restart"], sign="")
mutant("the window of duplicates begins empty",
       ("src/store/seen.c", "row_add(s, list, read_row(st, list), s->last_log,",
        "row_add(s, list, 0 * read_row(st, list), s->last_log,"),
       killers=["test_store_durable:duplicates_are_found_before_and_after_a_restart"], sign="")
mutant("half of a hash makes a duplicate, in the log",
       ("src/store/seen.c", "memcmp(blob + i * ENTRY_LEN, hash, 16) == 0",
        "memcmp(blob + i * ENTRY_LEN, hash, 8) == 0"),
       killers=["test_store_seen:a_hash_that_looks_alike_is_another"], sign="stored == ")
mutant("half of a hash makes a duplicate, in a group",
       ("src/store/ingest.c", "memcmp(s->txn.seen[i].hash, j->hash, 16) == 0",
        "memcmp(s->txn.seen[i].hash, j->hash, 8) == 0"),
       killers=["test_store_seen:a_hash_that_looks_alike_is_another"], sign="stored == ")
mutant("digests of the window are not read",
       ("src/store/seen.c", "				gan_window_add(s->window, p, row, when);",
        "				(void)when;"),
       killers=["test_store_seen:digests_stand_for_the_log_at_a_start"], sign="")
mutant("the ledger of effects is not asked",
       ("src/store/claim.c", "(d.effect != NULL || after_len > 0)", "after_len > 0"),
       killers=["test_store_flow:an_equal_effect_happens_once"], sign="")
mutant("what was being sent at a crash is sent again",
       ("src/store/settle.c", "	struct gan_settle st = { .delivery_id = delivery,\n"
        "		.state = GAN_DLV_UNKNOWN,", "	struct gan_settle st = { .delivery_id = delivery,\n"
        "		.state = GAN_DLV_WAITING, .next_ms = now_ms,"),
       killers=["test_store_durable:sending_becomes_unknown_when_opened_again"], sign="")
mutant("a lost answer is tried again",
       ("src/outbound/verdict.c", "	case GAN_REPEAT_PROBE:\n	case GAN_REPEAT_HOLD:\n		break;\n"
        "	}\n	return GAN_VERDICT_UNKNOWN;", "	case GAN_REPEAT_PROBE:\n	case GAN_REPEAT_HOLD:\n"
        "		break;\n	}\n	return GAN_VERDICT_RETRY;"),
       killers=["test_verdict:table_of_verdicts"], sign="")
mutant("delivered is noted before the answer",
       ("src/outbound/send.c", "		    s->conn->out->transfers, &req, on_response, s,"
        " &s->transfer, &err);\n	}\n",
        "		    s->conn->out->transfers, &req, on_response, s, &s->transfer, &err);\n	}\n"
        "	if (rc == GAN_OK) {\n		s->settle.state = GAN_DLV_DELIVERED;\n"
        "		s->settle.delivery_id = s->row->id;\n		s->settle.claim = s->row->attempt;\n"
        "		s->settle.now_ms = gan_wall_ms();\n"
        "		(void)!gan_store_settle(s->conn->out->store, &s->settle, NULL, NULL);\n	}\n"),
       killers=["tests/e2e/test_crash.py::test_sigterm_twice_ends_at_once"],
       sign="po/a unknown.*delivered")
mutant("every attempt has a new apiuuid",
       ("src/outbound/send.c", "	int rc = build(s, token, &marked, &req, &err);\n",
        "	char *u = memmem(s->row->body, s->row->body_len, "
        "\"\\\"apiuuid\\\":\\\"\", 11);\n\n	if (u != NULL)\n"
        "		u[11] = \"0123456789abcdef\"[s->row->attempt % 16];\n"
        "	int rc = build(s, token, &marked, &req, &err);\n"),
       killers=["tests/e2e/test_order.py::test_lanes_keep_their_order_under_random_errors"],
       sign="an id changed on a resend")
mutant("curl may repeat a request by itself",
       ("src/outbound/transfer_easy.c", "SET(CURLOPT_FRESH_CONNECT, req->repeatable ? 0L : 1L);",
        "SET(CURLOPT_FRESH_CONNECT, 0L);"),
       ("src/outbound/transfer_easy.c", "SET(CURLOPT_FORBID_REUSE, req->repeatable ? 0L : 1L);",
        "SET(CURLOPT_FORBID_REUSE, 0L);"),
       killers=["test_transfer:nothing_is_repeated_behind_our_back"], sign="")

# -- order per key ----------------------------------------------------------------------

mutant("there is no order per key",
       ("src/store/lanes.c", "	if (key != NULL)\n		rc = lane_find(", "	if (false)\n"
        "		rc = lane_find("),
       ("src/store/lanes.c", "GAN_I(lane), GAN_T(connector), GAN_T(key),",
        "GAN_I(lane), GAN_T(connector), GAN_NULL,"),
       killers=["test_store_flow:a_lane_keeps_its_order_and_blocks_only_itself"], sign="")
mutant("a lane is claimed although it is leased",
       ("src/store/sql.h", "X(LANE_LEASE, \"UPDATE lane SET next_ms = NULL, lease_owner = ?2,",
        "X(LANE_LEASE, \"UPDATE lane SET lease_owner = ?2,"),
       killers=["test_store_flow:a_lane_keeps_its_order_and_blocks_only_itself"], sign="")
mutant("a corrected copy stands behind those of its key",
       ("src/store/lanes.c", "GAN_SQL_LANE_NEXT,\n		GAN_SQL_LANE_PLACED };",
        "GAN_SQL_LANE_NEXT };"),
       killers=["test_store_correct:a_copy_takes_the_place"], sign="")
mutant("a corrected copy forgets its place when it leaves its lane",
       ("src/store/command.c", "return rc == GAN_OK ? gan_correct_place(s, d, lane) : rc;",
        "return rc;"),
       killers=["test_store_correct:a_copy_of_one_that_left_its_lane"], sign="")
mutant("who corrects may approve it",
       ("src/store/correct.c", "j->c.four_eyes && gan_streq(r.who, j->c.who)", "false"),
       killers=["tests/e2e/test_correct.py::test_who_corrected_may_not_approve"], sign="")
mutant("a corrected copy is another side effect than its original",
       ("src/store/correct.c", "int rc = gan_effect_hand(s, d, copy, r->body, r->body_len, "
        "c->now_ms);", "int rc = GAN_OK;"),
       killers=["test_store_correct:a_copy_has_its_original_s_effect"], sign="")
mutant("let go without what it comes after, a delivery waits all the same",
       ("src/store/effects.c", "return rc < 0 ? rc : gan_run(s->db, GAN_SQL_PAYLOAD_FREE, "
        "GAN_I(d->id));", "return rc;"),
       killers=["test_store_correct:one_is_let_go_without_what_it_waits_for"], sign="")
mutant("a replay does not keep how far it is",
       ("src/store/sql.h", "UPDATE replay SET at = ?2,", "UPDATE replay SET at = at + 0 * ?2,"),
       killers=["test_store_replay:it_goes_on_where_it_was_and_never_twice",
                "tests/e2e/test_replay.py::test_kill_in_the_middle_loses_and_doubles_nothing"],
       sign="")
mutant("a step of a replay that does not follow the last one is taken",
       ("src/store/replay.c", "(no != c->no || at != c->before_id)", "no != c->no"),
       killers=["test_store_replay:it_goes_on_where_it_was_and_never_twice"], sign="")
mutant("a replay is as urgent as what has just come",
       ("src/store/lanes.c", "GAN_I(replay ? PRIO_REPLAY : PRIO_LIVE)", "GAN_I(PRIO_LIVE)"),
       killers=["test_store_replay:a_replay_waits_for_all_others"], sign="")
mutant("a live one waits as long as the replay before it",
       ("src/store/lanes.c", "prio == PRIO_REPLAY && !replay", "false && !replay"),
       killers=["test_store_replay:a_live_one_behind_a_replay",
                "tests/e2e/test_replay.py::test_live_ones_go_first"], sign="")
mutant("a plan of a replay makes it",
       ("src/admin/verbs_replay.c", "if (!gan_call_flag(c, \"plan\"))", "if (true)"),
       killers=["tests/e2e/test_replay.py::test_a_plan_changes_nothing"], sign="")
mutant("what if takes the rules in force for those of the files",
       ("src/admin/verbs_diff.c", "d->walk, 1, d->files, ", "d->walk, 1, d->now, "),
       killers=["tests/e2e/test_rules_diff.py::test_what_changes"], sign="")
mutant("a lease that ran out is not seen",
       ("src/store/claim.c", "	rc = claim_late(s, j);", "	rc = GAN_OK;"),
       killers=["test_store_flow:a_lost_lease_is_unknown"], sign="")
mutant("mapping results are stored in the order they come",
       ("src/pipeline.c", "		if (it->stage != STAGE_MAPPED)\n			break;",
        "		if (it->stage != STAGE_MAPPED)\n			continue;"),
       ("src/store/mapped.c", "	if (rc == GAN_ENOENT || next != j->m.event_id)",
        "	if (rc == GAN_ENOENT && next < 0)"),
       killers=["test_pipeline:slow_events_are_overtaken_by_nobody"], sign="")
mutant("a dead head lets the next one go",
       ("src/store/dlv.c", "		return d->on_dead == GAN_ON_DEAD_BLOCK;", "		return false;"),
       killers=["test_store_flow:dead_blocks_or_lets_the_next_one_go"], sign="")

mutant("an event is handed to mapping before those that wait",
       ("src/pipeline.c", "e->after_id <= p->cursor && e->id > p->cursor", "e->id > p->cursor"),
       ("src/store/mapped.c", "	if (rc == GAN_ENOENT || next != j->m.event_id)",
        "	if (rc == GAN_ENOENT && next < 0)"),
       killers=["test_pipeline:nobody_overtakes_one_that_is_told_of_late"], sign="")
mutant("mapping goes past an event that waits",
       ("src/store/ingest.c", "	if (s->txn.last_received <= s->txn.map_cursor)\n", ""),
       killers=["test_store_flow:what_nobody_listens_to_is_ignored_at_once"], sign="")
mutant("the outcome of a delivery is dropped when the store is full",
       ("src/outbound/settle.c", "		keep_trying(s);\n		return;\n	}\n	if (rc == GAN_ESTATE)",
        "		(void)keep_trying;\n	}\n	if (rc == GAN_ESTATE)"),
       killers=["test_outbound_ops:an_outcome_is_kept_until_it_is_stored"], sign="")
mutant("an idempotency key does not look at the body",
       ("src/store/ingest.c", "	j->verdict = same != 0 ? GAN_INGEST_DUPLICATE : GAN_INGEST_CONFLICT;",
        "	j->verdict = same >= 0 ? GAN_INGEST_DUPLICATE : GAN_INGEST_CONFLICT;"),
       killers=["test_store_durable:an_idempotency_key_compares_topic_and_body"], sign="")
mutant("any body fits an effect",
       ("src/store/effects.c", "	bool equal = sqlite3_column_bytes(row, 1) == HASH_LEN &&",
        "	bool equal = sqlite3_column_bytes(row, 1) == HASH_LEN ||"),
       killers=["test_store_flow:another_body_is_a_conflict"], sign="")

# -- nothing is invented -------------------------------------------------------------------

mutant("signatures are compared over the shorter length",
       ("src/inbound/signature.c", "	if (n != 2 * GAN_SHA1_LEN && n != 2 * GAN_SHA256_LEN)\n"
        "		return false;\n	c->algorithm = n == 2 * GAN_SHA1_LEN",
        "	if (n == 0 || n % 2 != 0 || n > 2 * GAN_SHA256_LEN)\n		return false;\n"
        "	c->len = n / 2;\n	c->algorithm = n <= 2 * GAN_SHA1_LEN"),
       ("src/inbound/signature.c", "		memcpy(c->digest, raw, (size_t)len);",
        "		c->len = (size_t)len;\n		memcpy(c->digest, raw, (size_t)len);"),
       ("src/inbound/signature.c", "struct claim {", "struct claim {\n	size_t len;"),
       ("src/inbound/signature.c", "	size_t n = gan_digest_len(c->algorithm);",
        "	size_t n = c->len;"),
       killers=["test_signature:forgeries_are_refused"], sign="")
mutant("the second secret is not tried",
       ("src/inbound/signature.c", "	for (size_t i = 0; i < s->nsecrets; i++) {\n		if (gan_hmac(",
        "	for (size_t i = 0; i < 1; i++) {\n		if (gan_hmac("),
       killers=["test_signature:two_secrets_rotate_without_a_gap"], sign="")
mutant("a secret may be read by everybody",
       ("src/conf/secrets.c", "	if (!credential && (st.st_mode", "	if (credential && (st.st_mode"),
       killers=["test_config:secret_files_are_checked"], sign="")
mutant("an empty secret is allowed",
       ("src/conf/secrets.c", "	if (b->len == 0)\n", "	if (b->len == 0 && path == NULL)\n"),
       killers=["test_config:secret_files_are_checked"], sign="")
mutant("an empty key makes a signature",
       ("src/base/hmac.c", "	if (len == 0)\n", "	if (len == 0 && bytes != NULL)\n"),
       killers=["test_signature:an_empty_secret_is_impossible"], sign="")
mutant("a wrong signature is stored as an event",
       ("src/inbound/webhook.c", "		if (rc == GAN_EAUTH)\n			refuse_signature(x, err.msg);",
        "		if (rc == GAN_EAUTH) {\n			sig = (struct gan_signature){ .header = \"none\" };\n"
        "			rc = GAN_OK;\n		}"),
       ("src/inbound/webhook.c", "			gan_exchange_unstored(x, rc, 0);\n		return;\n	}\n	tell_form",
        "			gan_exchange_unstored(x, rc, 0);\n		if (rc < 0)\n			return;\n	}\n	tell_form"),
       killers=["test_webhook:bad_signatures_go_to_quarantine"], sign="")
mutant("the quarantine has no end",
       ("src/store/quarantine.c", "	rc = ring_make_room(s, (int64_t)q->body_len);",
        "	(void)ring_make_room;\n	rc = GAN_OK;"),
       killers=["test_store_query:quarantine_is_a_ring"], sign="")
mutant("a header may come twice",
       ("src/inbound/framing.c", "	if (!is_singleton(h->name))",
        "	if (!is_singleton(h->name) || i > 0)"),
       killers=["test_framing:matrix"], sign="")
mutant("a length and chunks may come together",
       ("src/inbound/framing.c", "	if (find(in, \"content-length\") != NULL)\n		return refuse(\n"
        "		    f, 400, \"Content-Length and", "	if (false)\n		return refuse(\n"
        "		    f, 400, \"Content-Length and"),
       killers=["test_framing:matrix"], sign="")

# -- peers and limits -------------------------------------------------------------------------

mutant("there is no second MHD_run()",
       ("src/inbound/server.c", "		again = s->resumed || gan_server_connections(s) < before;",
        "		again = false && before > 0;"),
       killers=["test_server_limits:a_crowd_needs_no_heartbeat",
                "test_server_limits:full_house_recovers"], sign="")
mutant("an answer has no cap",
       ("src/outbound/transfer_easy.c", "room = t->answer.max - t->answer.len;",
        "room = SIZE_MAX;"),
       ("src/outbound/transfer_easy.c",
        "req->answer_max > 0 ? req->answer_max : GAN_RESPONSE_BODY_MAX;", "SIZE_MAX / 2;"),
       killers=["test_transfer:endings_are_told_apart"], sign="")
mutant("Retry-After is ignored",
       ("src/outbound/send.c",
        "			wait = gan_retry_after_ms(resp->retry_after, gan_wall_ms(), wait);\n", ""),
       killers=["test_outbound:retry_after_makes_the_whole_connector_wait"], sign="")
mutant("only the delivery waits, not its connector",
       ("src/outbound/account.c", "	if (until > a->wait_ms)\n		a->wait_ms = until;\n",
        "	(void)until;\n"),
       killers=["test_outbound:retry_after_makes_the_whole_connector_wait"], sign="")
mutant("redirects are followed",
       ("src/outbound/transfer_easy.c", "SET(CURLOPT_FOLLOWLOCATION, 0L);",
        "SET(CURLOPT_FOLLOWLOCATION, 1L);"),
       ("src/outbound/transfer_easy.c", "SET(CURLOPT_MAXREDIRS, 0L);",
        "SET(CURLOPT_MAXREDIRS, 3L);"),
       ("src/outbound/transfer_easy.c", "SET(CURLOPT_REDIR_PROTOCOLS_STR, \"https\");",
        "SET(CURLOPT_REDIR_PROTOCOLS_STR, \"http,https\");"),
       killers=["tests/e2e/test_connectors.py::test_redirects_are_never_followed"], sign="")
mutant("a slow client has all the time in the world",
       ("src/inbound/server_limits.c", "	return min(total, from +",
        "	return min(total + 100000, from +"),
       killers=["test_server_limits:slow_requests_end"], sign="")
mutant("a peer that repeats our secret has it stored",
       ("src/outbound/transfer_easy.c",
        "		gan_scrub_text(&t->scrub, r->body, r->body_len);\n", ""),
       killers=["test_transfer:whole_answer"], sign=r"echo.*\*\*\*\*")
mutant("red rules replace green ones",
       ("src/reload.c", "	if (!proof->green) {\n		red_set(app, proof->first);\n"
        "		refuse(app, proof->first);\n		return;\n	}",
        "	if (!proof->green && proof->rules == NULL) {\n		red_set(app, proof->first);\n"
        "		refuse(app, proof->first);\n		return;\n	}"),
       killers=["tests/e2e/test_rules.py::test_a_bad_rule_is_refused_and_the_old_set_stays"],
       sign="")
mutant("a rule may run for ever",
       ("src/mapping/pool_work.c", "	gan_mapper_deadline(m, ms);\n}",
        "	gan_mapper_deadline(m, ms > 0 ? ms * 100 : 0);\n}"),
       killers=["tests/e2e/test_rules.py::test_a_runaway_rule_costs_one_event"], sign="endless")
mutant("a number that would change is mapped all the same",
       ("src/mapping/worker_run.c", "	if (info.inexact && numbers == GAN_NUMBERS_EXACT) {",
        "	if (info.inexact && numbers == GAN_NUMBERS_EXACT && len == 0) {"),
       killers=["test_pool:numbers_do_not_change_silently"], sign="")
mutant("plain http may leave this machine",
       ("src/outbound/transfer_easy.c", "	if (t->plain && !is_loopback(&a->addr))",
        "	if (t->plain && t->nsecrets > 1000 && !is_loopback(&a->addr))"),
       killers=["test_transfer:plain_http_stays_on_this_machine"], sign="")

# -- the traps of the libraries, each with its cure taken out -----------------------------------

mutant("nobody runs libmicrohttpd after a resume",
       ("src/inbound/server.c", "		again = s->resumed || gan_server_connections(s) < before;",
        "		again = gan_server_connections(s) < before;"),
       ("src/inbound/request.c", "		s->resumed = true;\n		gan_server_schedule(s);",
        "		s->resumed = true;"),
       killers=["test_server_limits:a_crowd_needs_no_heartbeat", "test_server:later_answers_come"],
       sign="")
mutant("a connection is kept although it should be closed",
       ("src/inbound/request.c", "	if (a->close || !r->keep_alive || r->conn->server->draining)",
        "	if (a->close || r->conn->server->draining)"),
       killers=["test_server:answers_are_plain_and_closed"], sign="")
mutant("a connection is kept after chunks",
       ("src/inbound/request.c", "	if (f.chunked)\n		r->keep_alive = false;\n", ""),
       killers=["tests/fault/test_http_framing.py::"
                "test_nothing_follows_chunks_with_bare_line_ends"], sign="")
mutant("broken lines are left to libmicrohttpd",
       ("src/inbound/server.c", "MHD_OPTION_STRICT_FOR_CLIENT, -1,",
        "MHD_OPTION_STRICT_FOR_CLIENT, 0,"),
       ("src/inbound/request.c", "	in.tangled = is_tangled(r);",
        "	in.tangled = is_tangled(r) && r->nheaders > GAN_HEADERS_MAX;"),
       killers=["test_server:framing_matrix"], sign="")
mutant("that no descriptor is left is not seen",
       ("src/inbound/server.c", "		s->starved = true;\n", ""),
       killers=["test_server_limits:running_out_of_descriptors_is_survived"], sign="")
mutant("nothing is done when no descriptor is left",
       ("src/inbound/server_limits.c", "	s->starved = false;\n	s->stats.starved++;\n"
        "	s->crowded_until_ms = gan_mono_ms() + CROWD_MS;\n",
        "	s->starved = false;\n	s->stats.starved++;\n"),
       ("src/inbound/server_limits.c", "	(void)gan_server_sweep(s);\n	s->paused = true;\n"
        "	(void)uv_poll_stop(&s->poll);\n"
        "	(void)uv_timer_start(&s->pause, on_pause_over, PAUSE_MS, 0);",
        "	(void)uv_timer_start(&s->pause, on_pause_over, PAUSE_MS + 0 * CROWD_MS, 0);"),
       killers=["tests/fault/test_http_limits.py::test_out_of_descriptors"],
       sign="used <|waited|timed out")
mutant("those who say nothing keep out those who would",
       ("src/inbound/server_limits.c", "	bool crowded = others_wait(s, now);",
        "	bool crowded = others_wait(s, now) && now < 0;"),
       killers=["tests/fault/test_http_limits.py::"
                "test_a_full_house_of_idle_connections_is_not_deaf"],
       sign="a valid webhook waited|timed out")
mutant("curl waits for its resolver",
       ("src/outbound/transfer_easy.c", "SET(CURLOPT_QUICK_EXIT, 1L);",
        "SET(CURLOPT_QUICK_EXIT, 0L);"),
       killers=["tests/fault/test_dns.py"], sign="")
mutant("a worker inherits the environment",
       ("src/mapping/pool_process.c", "		.env = env,", "		.env = zone == NULL ? env : NULL,"),
       killers=["tests/fault/test_runaway.py::test_no_rule_sees_the_environment_or_a_file"],
       sign="environ|canary")
mutant("a worker may take all memory",
       ("src/mapping/worker_limits.c", "	limit(RLIMIT_AS, (rlim_t)memory);", "	(void)memory;"),
       killers=["tests/fault/test_runaway.py::test_no_rule_sees_the_environment_or_a_file"],
       sign="Max address space")
mutant("error(null) is the end of the outputs",
       ("src/mapping/prelude.jq", "if . == null then _throw(\"error(null)\") else",
        "if . == \"\" then _throw(\"error(null)\") else"),
       killers=["test_pool:all_outputs_or_none"], sign="")
mutant("the log of the database is never moved into it",
       ("src/store/group.c", "	if (s->db->wal_frames >= CHECKPOINT_FRAMES)",
        "	if (s->db->wal_frames >= CHECKPOINT_FRAMES && s->db->path == NULL)"),
       killers=["tests/fault/test_quarantine.py::test_a_flood_of_large_ones_stays_in_its_ring"],
       sign="watch.wal")
mutant("a crash leaves a core",
       ("src/gantryd.c", "	(void)setrlimit(RLIMIT_CORE, &none);\n"
        "	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);", "	(void)none;"),
       killers=["tests/fault/test_secrets.py::test_a_crash_leaves_no_core"], sign="")
mutant("any token opens a source",
       ("src/inbound/auth.c", "		if (gan_equal_secret(a->ways[i].digest, c->digest, GAN_SHA256_LEN))",
        "		if (gan_equal_secret(a->ways[i].digest, c->digest, 0))"),
       killers=["test_erp:posts_are_refused_with_a_reason"], sign="")
mutant("a password does as a token of the sender",
       ("src/inbound/auth.c", "basic ? \"basic\" : \"bearer\"", "basic ? \"basic\" : \"basic\""),
       killers=["test_erp:basic_is_for_those_who_only_know_it"], sign="Bearer c2Fw")
mutant("a sender sees whoever used the same key",
       ("src/store/object.c", "event, j->q.source, false", "event, NULL, false"),
       killers=["test_store_watch:a_sender_sees_its_own_events_of_a_key_in_pages",
                "tests/e2e/test_erp.py::test_outcomes_are_found_by_business_key"], sign="")
mutant("a sender is told of the outcome while a delivery is being sent",
       ("src/store/sql.h", "event_id = ?1 AND state IN (0, 1)) FROM", "event_id = ?1 AND state IN (0)) FROM"),
       killers=["test_store_watch:the_last_delivery_ends_the_wait"], sign="told")
mutant("a sender is not told of the outcome when it comes",
       ("src/store/dlv.c", "		gan_watch_touch(s, d->event_id);", "		(void)s;"),
       killers=["test_store_watch:the_last_delivery_ends_the_wait"], sign="nothing happened")
mutant("a sender that waits on purpose is taken for one that is forgotten",
       ("src/inbound/server_limits.c", "answer_ms && now > r->wait_until_ms)", "answer_ms)"),
       killers=["test_server_limits:a_handler_may_ask_for_patience"], sign="")
mutant("a sender may use a key that is under way",
       ("src/inbound/idempotency.c", "sizeof(x->hash)) != 0)", "sizeof(x->hash)) != 0 || k != NULL)"),
       killers=["test_erp:the_same_key_twice_at_a_time",
                "test_erp_batch:one_batch_of_a_key_at_a_time"], sign="409")
mutant("a sender's batch has one key for all its items",
       ("src/inbound/erp_batch.c", "sizeof(place), \"%zu\", i);", "sizeof(place), \"%d\", 0);"),
       killers=["test_erp_batch:each_item_is_an_event",
                "tests/e2e/test_batch.py::test_a_repeated_batch_is_answered_as_the_first"], sign="")
mutant("a 503 does not say when to come again",
       ("src/inbound/request.c", "retry_after_s > 0 ? &extra : NULL",
        "retry_after_s > 3600 ? &extra : NULL"),
       killers=["test_inbound_store:a_full_store_says_so",
                "tests/fault/test_disk_full.py::test_without_a_spool_a_full_disk_is_a_503"],
       sign="")

# -- the emergency spool -----------------------------------------------------------------------

mutant("the spool is not synced",
       ("src/store/spool.c", "	if (fdatasync(sp->fd) == 0)", "	if (sp->fd >= 0)"),
       killers=["tests/fault/test_disk_error.py::"
                "test_a_spool_that_fails_is_told_and_nothing_else_happens"], sign="spooled")
mutant("a record of the spool need not be whole",
       ("src/store/spool_record.c", " || gan_spool_number(s + 4, 4) != crc_of(s, size))",
        " || crc_of(s, size) == 1)"),
       killers=["test_spool:a_record_gone_bad_costs_itself_alone"], sign="")
mutant("new events overtake those in the spool",
       ("src/store/group.c", "n < GAN_GROUP_INGEST && !gan_rescue_waits(s); n++)",
        "n < GAN_GROUP_INGEST; n++)"),
       killers=["test_rescue:nothing_overtakes_a_long_import"], sign="")
mutant("what a failed COMMIT held after all is imported once more",
       ("src/store/rescue.c", "	if (rec->maybe_id == 0)\n", "	if (rec->maybe_id >= 0)\n"),
       killers=["test_rescue:an_event_that_is_there_is_not_stored_again"], sign="")

# -- operations with parts, queries and states -------------------------------------------------

ALL_OF_PRODSMART = "tests/e2e/test_prodsmart.py"

mutant("a secret of the query is written down",
       ("src/outbound/wire.c", "with_pair(req->shown_url, name, value, len, secret)",
        "with_pair(req->shown_url, name, value, len, false)"),
       killers=["test_operations:secrets_of_the_query_are_masked",
                f"{ALL_OF_PRODSMART}::test_the_token_stands_nowhere"], sign="masked|data")
mutant("a slash in a code is one of the path",
       ("src/outbound/wire.c", "				    \"0123456789-._~\";",
        "				    \"0123456789-._~/\";"),
       killers=["test_operations:path_and_query_are_filled_in",
                f"{ALL_OF_PRODSMART}::test_every_operation"], sign="")
mutant("a date may go without a zone",
       ("src/outbound/fields.c", "	if (gan_time_parse(text, &ms) == GAN_OK && text[10] == 'T')",
        "	if (n >= 19 || (gan_time_parse(text, &ms) == GAN_OK && text[10] == 'T'))"),
       killers=[f"{ALL_OF_PRODSMART}::test_what_is_wrong_is_not_sent"], sign="")
mutant("a state without a key is set again",
       ("src/outbound/verdict.c", "return has_key ? GAN_REPEAT_SAFE : GAN_REPEAT_KEYED;",
        "return has_key ? GAN_REPEAT_SAFE : GAN_REPEAT_SAFE;"),
       killers=[f"{ALL_OF_PRODSMART}::test_a_state_without_a_key_waits_for_a_person"], sign="unknown")
mutant("a deletion that was done is dead",
       ("src/outbound/prodsmart.c", "	if (!asked->maybe_sent || !says_done(op, resp->status))",
        "	if (asked->maybe_sent || !says_done(op, resp->status))"),
       killers=[f"{ALL_OF_PRODSMART}::test_what_changes_nothing_is_sent_again"], sign="delivered")
mutant("curl repeats a deletion behind our back",
       ("src/outbound/connector.c", " && op->done == NULL;", ";"),
       killers=["test_prodsmart:requests_are_what_the_page_wants"], sign="repeatable")
mutant("a report that is busy holds up the whole connector",
       ("src/outbound/verdict.c",
        "[GAN_OUTCOME_TURN] = { GAN_VERDICT_RETRY, GAN_HEALTH_SILENT, false,",
        "[GAN_OUTCOME_TURN] = { GAN_VERDICT_RETRY, GAN_HEALTH_SILENT, true,"),
       killers=["test_verdict:table_of_verdicts"], sign="")
mutant("the token in an answer is kept",
       ("src/outbound/send.c", "	if (s->op->answer_is_secret) {",
        "	if (s->op->answer_is_secret && s->c == NULL) {"),
       killers=[f"{ALL_OF_PRODSMART}::test_the_token_stands_nowhere"], sign="")
mutant("a refused password is tried for ever",
       ("src/outbound/send.c", "	    !gan_connector_no_token(s->c, s->op)) {", "	    true) {"),
       killers=[f"{ALL_OF_PRODSMART}::test_machines_with_basic"], sign="")

# -- any JSON API --------------------------------------------------------------------------

HTTP = "tests/e2e/test_http_connector.py"
mutant("any 2xx is a success, whatever the rule says",
       ("src/outbound/success.c", "	} else if (good && !fits) {", "	} else if (good && !fits && s == NULL) {"),
       killers=["test_http:an_answer_is_judged"], sign="")
mutant("a failure in the body of a 200 is delivered",
       ("src/outbound/success.c", "	if (fits_one(s, v))", "	if (v != NULL || fits_one(s, v))"),
       killers=[f"{HTTP}::test_the_rule_of_success"], sign="dead")
mutant("a text of digits is the number",
       ("src/outbound/success.c", "		return cJSON_IsNumber(v) && !(", "		return !("),
       killers=["test_http:an_answer_is_judged"], sign="")
mutant("a declared operation is sent without its required members",
       ("src/conf/load_operations.c", "		f->required = true;", "		f->required = f->name == NULL;"),
       killers=[f"{HTTP}::test_what_is_not_sound_is_dead_before_a_request_is_spent"], sign="dead")
mutant("everybody who waits fetches a token",
       ("src/outbound/token.c", "	if (t->fetch == NULL)\n		rc = start_fetch(t, err);",
        "	gan_transfer_drop(&t->fetch);\n	rc = start_fetch(t, err);"),
       killers=[f"{HTTP}::test_one_fetch_for_all_who_wait"], sign="")
mutant("a token is used to its last second",
       ("src/outbound/http.c", "(int64_t)((life_s - early_s) * 1000.0);", "(int64_t)((life_s + early_s) * 1000.0);"),
       killers=["test_http:a_token_is_read", f"{HTTP}::test_a_token_is_renewed_before_it_ends"],
       sign="")
mutant("a refused client is asked for again and again",
       ("src/outbound/http.c", "	return GAN_EAUTH;\n}", "	return GAN_ENET;\n}"),
       killers=[f"{HTTP}::test_a_refused_client_pauses_the_connector_and_it_comes_back"], sign="paused")
mutant("the client's secret is not encoded before it is joined",
       ("src/outbound/http.c", "	gan_wire_percent(&secret, a->client_secret.bytes, a->client_secret.len);",
        "	gan_buf_put(&secret, a->client_secret.bytes, a->client_secret.len);"),
       killers=["test_http:a_token_is_asked_for", f"{HTTP}::test_oauth_as_servers_do_it"], sign="")
mutant("a changed certificate does not count at a reload",
       ("src/outbound/connector.c", "	req->client_cert = c->auth.cert_pem.bytes;",
        "	static char *first;\n\n	if (first == NULL)\n		first = strdup(c->auth.cert_pem.bytes);\n"
        "	req->client_cert = first;"),
       killers=[f"{HTTP}::test_a_client_certificate_beside_a_token"], sign="")
mutant("a key of another certificate is taken",
       ("src/base/pem.c", "	if (!fits)\n", "	if (!fits && x == NULL)\n"),
       killers=["test_conf_http:a_client_certificate_is_looked_at"], sign="")
mutant("a password in the headers is shown with the error",
       ("src/conf/hide.c", "			secret = gan_header_is_secret(n->key->text);", "			secret = false;"),
       killers=["test_conf_http:what_cannot_be_is_an_error"], sign="hunter2")
mutant("no body is said to be a form",
       ("src/outbound/transfer_easy.c", "	if (!has_header(req, \"Content-Type\")) {", "	if (req->method == NULL) {"),
       killers=[f"{HTTP}::test_methods_with_and_without_a_body"], sign="content-type")
# -- answers are events, and messages that are fetched -----------------------------------------

OUTBOX = "tests/e2e/test_outbox.py"

mutant("a result brings no answer",
       ("src/store/dlv.c", "return rc < 0 ? rc : gan_answer_make(s, d, now_ms);", "return rc;"),
       killers=["test_store_answers:an_answer_tells_request_response_and_origin"], sign="")
mutant("an answer is made though nobody listens",
       ("src/store/answers.c", "	if (!is_listened_to(s, name))\n		return GAN_OK;\n",
        "	(void)is_listened_to(s, name);\n"),
       killers=["test_store_answers:nobody_listens_nothing_is_made"], sign="")
mutant("a chain of answers goes on for ever",
       ("src/store/answers.c", "c.depth > DEPTH_MAX ?", "c.depth > 1000 * DEPTH_MAX ?"),
       killers=["test_store_answers:a_chain_is_cut_and_somebody_hears_of_it"], sign="rejected")
mutant("an answer that cannot be stored is let go",
       ("src/store/answers.c", "	if (rc == GAN_OK)\n		rc = gan_run(s->db, GAN_SQL_ANSWER_PUT,",
        "	if (rc < 0)\n		return GAN_OK;\n	if (rc == GAN_OK)\n"
        "		rc = gan_run(s->db, GAN_SQL_ANSWER_PUT,"),
       killers=["test_store_answers:no_answer_without_the_result"], sign="")
mutant("who listens is forgotten at a restart",
       ("src/store/store.c", "		rc = gan_answers_load(s);", "		rc = GAN_OK;"),
       killers=["test_store_answers:who_listens_is_known_at_a_start"], sign="")
mutant("a rule for everything hears its own answers",
       ("src/mapping/rules.c", "strcmp(source, GAN_ANSWERS) == 0 && !gan_rule_names_answers(glob)",
        "source == NULL"),
       killers=["test_rules:globs_match_across_the_slash"], sign="answers")
mutant("a message is told before what it comes after",
       ("src/store/claim.c", "	if (rc != GAN_EFFECT_GO)\n		return by_effect(",
        "	if (rc != GAN_EFFECT_GO && !(j->pull && rc == GAN_EFFECT_AFTER))\n"
        "		return by_effect("),
       killers=["test_store_outbox:what_comes_after_something_is_told_after_it"], sign="told")
mutant("a message overtakes one of its key that came in again",
       ("src/store/outbox_read.c", "	return rc == GAN_ENOENT ? 0 : rc < 0 ? rc : 1;",
        "	return rc == GAN_ENOENT ? 0 : rc < 0 ? rc : 0;"),
       killers=["test_store_outbox:too_old_is_for_a_person_and_holds_its_key"], sign="told_at")
mutant("what was told expires all the same",
       ("src/store/outbox_read.c", "	if (told)\n		return tell(s, j, &d, pos);\n", "	(void)told;\n"),
       killers=["test_store_outbox:once_told_it_waits_for_its_acknowledgement"], sign="")
mutant("what nobody was told can be acknowledged",
       ("src/store/outbox_read.c", "!gan_cursor_read(j->cursor, j->connector, &upto) || upto > r.shown",
        "!gan_cursor_read(j->cursor, j->connector, &upto)"),
       killers=["test_store_outbox:only_cursors_that_were_given_out_count"], sign="")
mutant("an acknowledgement ends after its first batch",
       ("src/store/outbox_read.c", "	j->more = j->n == ACK_BATCH;", "	j->more = false;"),
       killers=["test_store_outbox:many_are_acknowledged_at_once"], sign="450")
mutant("a reader that waits is not woken",
       ("src/app.c", "		gan_inbound_due(app->inbound, connector);", "		(void)connector;"),
       killers=[f"{OUTBOX}::test_a_reader_that_waits_is_woken"], sign="")
mutant("any consumer's token opens any outbox",
       ("src/inbound/outbox.c", "	else if (x->pull->token == 0)", "	else if (!any)"),
       killers=[f"{OUTBOX}::test_who_may_read"], sign="403")

# -- rules -------------------------------------------------------------------------------------

mutant("a golden test may expect what the connector refuses",
       ("src/mapping/pool_check.c", "	if (green && t->refused != NULL) {",
        "	if (green && t->refused != NULL && t->line == 0) {"),
       killers=["tests/e2e/test_expected_bodies.py::"
                "test_a_body_that_would_be_refused_makes_its_test_red"], sign="burnt|assert 0")
mutant("an old state follows a newer one",
       ("src/store/newest.c", "	if (strcmp(value, went) >= 0)", "	if (went[0] != 0)"),
       killers=["test_store_flow:the_newest_of_a_key_wins",
                "tests/e2e/test_shipped_rules.py::test_an_old_count_never_follows_a_newer_one"],
       sign="")
mutant("a lot of a declared operation may hold anything",
       ("src/outbound/gs1_fields.c", "		return gan_gs1_lot;", "		return NULL;"),
       killers=["test_connector:codes_of_gs1_in_declared_operations"], sign="lot")

# -- quotas and probes -------------------------------------------------------------------------

QUOTA = "tests/e2e/test_quota.py"
PROBE = "tests/e2e/test_probe.py"
SHARES = "test_ask:live_first_feeds_between_and_reconciliation_last"

mutant("a request counts from its start instead of its end",
       ("src/outbound/quota.c", "	gan_quota_past(q, now_ms);\n}",
        "	gan_quota_past(q, now_ms - q->window_ms / 2);\n}"),
       killers=["test_quota:no_window_of_the_peer_holds_more"], sign="in a window")
mutant("a request under way does not count",
       ("src/outbound/quota.c", "	return (unsigned)q->n + q->under_way;", "	return (unsigned)q->n;"),
       killers=["test_quota:one_under_way_counts_however_long_it_takes",
                "test_ask:no_window_holds_more_whoever_asks"], sign="")
mutant("deliveries are claimed without asking for places",
       ("src/outbound/account.c", "	size_t room = gan_quota_room(&a->quota, gan_mono_ms()), before;",
        "	size_t room = SIZE_MAX, before;"),
       killers=["test_ask:no_window_holds_more_whoever_asks",
                f"{QUOTA}::test_two_connectors_of_one_account_share_it"], sign="")
mutant("who died is taken for one that sent nothing",
       ("src/outbound/handover.c", "			gan_quota_close(&a->quota, gan_mono_ms());", "			(void)same;"),
       killers=["test_ask:who_is_told_nothing_waits_for_a_window",
                f"{QUOTA}::test_no_new_beginning_gives_a_new_quota"], sign="")
mutant("a note of the last regular stop is believed after a crash",
       ("src/store/handover.c", "	return gan_run(s->db, GAN_SQL_KEEP_PUT, GAN_T(\"quota\"), GAN_B(\"\", 0));",
        "	return GAN_OK;"),
       killers=[f"{QUOTA}::test_no_new_beginning_gives_a_new_quota"], sign="")
mutant("a 429 stops nobody else",
       ("src/outbound/account.c", "	if (until > a->wait_ms)\n", "	if (until < 0)\n"),
       killers=["test_ask:a_429_stops_everybody_on_the_account",
                f"{QUOTA}::test_a_429_stops_all_and_lowers_the_limit"], sign="")
mutant("feed reads wait until no delivery wants to go",
       ("src/outbound/account.c", "	return a->asks[GAN_ASK_FEED] != NULL && a->since_feed >= FEED_AFTER;",
        "	return a == NULL;"), killers=[SHARES], sign="delivered")
mutant("reconciliation does not wait for deliveries",
       ("src/outbound/account.c", "used * 2 < limit) && !anybody_wants(a);", "used < limit);"),
       killers=[SHARES], sign="last")
mutant("what may have been carried out is sent again without a look",
       ("src/outbound/look.c", "	if (!s->row->maybe_sent ||", "	if (s->row->maybe_sent || !s->row->maybe_sent ||"),
       killers=[f"{PROBE}::test_what_is_there_is_delivered"], sign="")
mutant("what is there is ours, whatever it is",
       ("src/outbound/look.c", "	case GAN_PROBE_DIFFERENT:\n		found_different(s, l);",
        "	case GAN_PROBE_DIFFERENT:\n		found_equal(s, l);"),
       killers=[f"{PROBE}::test_what_is_different_is_for_a_person"], sign="")
mutant("a killed process leaves nothing to look for",
       ("src/store/settle.c", "	if (rc == GAN_OK && d.on_unknown == GAN_ON_UNKNOWN_PROBE) {",
        "	if (rc == GAN_OK && d.on_unknown < 0) {"),
       killers=[f"{PROBE}::test_killed_while_sending_it_is_looked_for"], sign="unknown")
mutant("no mark tells ours from another",
       ("src/outbound/send.c", "s->op->probe->mark != NULL;", "s->op->probe->mark == NULL;"),
       killers=[f"{PROBE}::test_the_mark_stands_in_the_free_text_only_where_a_probe_needs_it"], sign="")
mutant("the first page is the whole list",
       ("src/outbound/probe.c", "	return p->paged && s->seen != GAN_PROBE_EQUAL &&", "	return p == NULL && s->seen != GAN_PROBE_EQUAL &&"),
       killers=["test_probe:full_pages_have_another_one_behind"], sign="")

# -- what webhooks cannot bring -----------------------------------------------------------------

FEED = "tests/e2e/test_feed.py"
RECONCILE = "tests/e2e/test_reconcile.py"

mutant("two gateways read one channel",
       ("src/inbound/feed_read.c", "	rc = gan_feed_lock(account, c->name, &c->lock, &err);",
        "	rc = GAN_OK;"),
       killers=[f"{FEED}::test_two_gateways_never_read_one_channel"], sign="stands back")
mutant("a channel may be read by two sources",
       ("src/conf/load_links.c", "		if (its == NULL || !same_account(its, mine))",
        "		if (its != NULL || mine == NULL)"),
       killers=["test_config:nobody_reads_a_channel_twice"], sign="")
mutant("a read whose answer was cut brought nothing",
       ("src/inbound/feed_read.c", "	if (r->maybe_sent && !was_refused(r))", "	if (r == NULL)"),
       killers=[f"{FEED}::test_a_read_that_may_be_lost_is_told_and_reconciled"], sign="the loss is told")
mutant("a refused read may be lost",
       ("src/inbound/feed_read.c", "	return r->complete && (", "	return r == NULL && ("),
       killers=[f"{FEED}::test_what_was_refused_is_not_lost"], sign="")
mutant("a kept answer stays when it is events",
       ("src/store/feedspool.c", "		rc = gan_run(s->db, GAN_SQL_FEED_DROP, GAN_I(j->id));",
        "		rc = j->id == 0 ? GAN_EINVAL : GAN_OK;"),
       killers=[f"{FEED}::test_all_types_with_the_vendors_samples"], sign="")
mutant("a full read is not followed by the next one",
       ("src/inbound/feed_apart.c", "		c->more = a->items >= GAN_FEED_FULL && a->crc != c->last_crc;",
        "		c->more = false;"),
       killers=[f"{FEED}::test_a_full_read_is_followed_by_the_next_one_at_once"], sign="60 events")
mutant("a channel is read while the store has no room",
       ("src/store/feedspool.c", "	if (s->low_space || s->now.full || gan_rescue_waits(s)) {\n"
        "		j->job.rc = GAN_EFULL;", "	if (s == NULL) {\n		j->job.rc = GAN_EFULL;"),
       killers=[f"{FEED}::test_nothing_is_read_while_the_store_has_no_room"], sign="it says so")
mutant("a stop does not wait for a read",
       ("src/inbound/feed.c", "		if (c->state != GAN_CHANNEL_IDLE && c->state != GAN_CHANNEL_APART)",
        "		if (c == NULL)"),
       killers=[f"{FEED}::test_a_stop_waits_for_the_read_under_way"], sign="")
mutant("what a list shows is told at once",
       ("src/store/reconcile.c", "		if (l->now_ms - states->missing_ms < l->grace_ms) {",
        "		if (l->grace_ms < 0) {"),
       killers=[f"{RECONCILE}::test_a_webhook_may_be_late_by_the_grace"], sign="")
mutant("what reconciliation told is not remembered",
       ("src/store/reconcile.c", "	states_add(states, it->hash, l->now_ms);",
        "	if (l->baseline)\n		states_add(states, it->hash, l->now_ms);"),
       killers=[f"{RECONCILE}::test_of_200_changes_50_are_withheld_and_20_come_late"], sign="70")
mutant("webhooks do not count as told",
       ("src/inbound/reconcile_told.c", "	b->n++;\n", "	b->n += 0;\n"),
       killers=[f"{RECONCILE}::test_of_200_changes_50_are_withheld_and_20_come_late"], sign="130")
mutant("a state that was told before is never missing",
       ("src/store/reconcile.c", "		if (t->v[k].at_ms > t->v[i].at_ms + CLOCKS_MS)",
        "		if (t->v[k].at_ms < 0)"),
       killers=[f"{RECONCILE}::test_a_return_to_an_earlier_state_is_a_change"], sign="")
mutant("the first round tells all there is",
       ("src/inbound/reconcile_round.c", "	d->baseline = k->at_ms == 0;", "	d->baseline = k == NULL;"),
       killers=[f"{RECONCILE}::test_of_200_changes_50_are_withheld_and_20_come_late"], sign="200")
mutant("numbers are compared as they are written",
       ("src/inbound/identity.c", "	if (!done)\n		put_string(v, out);", "	put_string(v, out);"),
       killers=["test_identity:one_fact_in_two_spellings"], sign="differ")
