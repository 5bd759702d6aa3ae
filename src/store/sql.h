/* SPDX-License-Identifier: MIT */
/*
 * sql.h - every statement of the store, in one place.
 *
 * Prepared once at open, so an error in any of them shows at once.  Parameters
 * are numbered; INDEXED BY says which index a statement lives from, and makes
 * it an error to lose it.
 */
#pragma once

/* Columns of a delivery as gan_dlv_read() and the shapes take them. */
#define GAN_DLV_COLS                                                                               \
	"id, event_id, rule, connector, operation, key, effect, state, attempts, next_ms,"         \
	" last_status, last_error, last_ms, reason, lane_id, replay_no, created_ms,"               \
	" first_sent_ms, valid_until_ms, on_unknown, on_dead, maybe_sent, held"

#define GAN_EVENT_COLS "e.id, e.source, e.topic, e.topic_raw, e.received_ms, e.meta"

#define GAN_SQL_MAP(X)                                                                             \
	X(BEGIN, "BEGIN IMMEDIATE")                                                                \
	X(COMMIT, "COMMIT")                                                                        \
	/* events */                                                                               \
	X(EVENT_IS, "SELECT source = ?2 AND topic = ?3 AND received_ms = ?4 AND body = ?5"         \
		    " FROM event WHERE id = ?1")                                                   \
	X(EVENT_PUT, "INSERT INTO event(id, source, topic, topic_raw, received_ms, meta, body)"    \
		     " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)")                                        \
	X(EVENT_GET, "SELECT " GAN_EVENT_COLS ", m.state, e.body FROM event e LEFT JOIN mapping m" \
		     " ON m.event_id = e.id WHERE e.id = ?1")                                      \
	X(EVENT_SAME, "SELECT topic = ?2 AND body = ?3 FROM event WHERE id = ?1")                  \
	X(EVENT_LAST, "SELECT coalesce(max(id), 0) FROM event")                                    \
	X(EVENT_FEED, "SELECT " GAN_EVENT_COLS ", m.state, e.body FROM event e LEFT JOIN mapping"  \
		      " m ON m.event_id = e.id WHERE e.id > ?1 ORDER BY e.id")                     \
	X(EVENT_NEXT, "SELECT e.id FROM event e LEFT JOIN mapping m ON m.event_id = e.id"          \
		      " WHERE e.id > ?1 AND m.event_id IS NULL ORDER BY e.id LIMIT 1")             \
	X(EVENT_LIST, "SELECT " GAN_EVENT_COLS ", m.state FROM event e LEFT JOIN mapping m"        \
		      " ON m.event_id = e.id WHERE e.id < ?1 ORDER BY e.id DESC")                  \
	X(EVENT_RETAIN, "SELECT e.id, m.state FROM event e JOIN mapping m ON m.event_id = e.id"    \
			" WHERE e.id > ?1 AND e.id < ?2 ORDER BY e.id LIMIT ?3")                   \
	X(EVENT_DROP, "DELETE FROM event WHERE id = ?1")                                           \
	X(EVENT_PAGE, "SELECT " GAN_EVENT_COLS ", m.state, e.body FROM event e LEFT JOIN mapping"  \
		      " m ON m.event_id = e.id WHERE e.id > ?1 AND e.id <= ?2 ORDER BY e.id")      \
	X(EVENT_HAS, "SELECT 1 FROM event WHERE id = ?1")                                          \
	X(MAPPING_PUT, "INSERT INTO mapping(event_id, state, at_ms, generation)"                   \
		       " VALUES(?1, ?2, ?3, ?4)")                                                  \
	X(MAPPING_SET, "UPDATE mapping SET state = ?2, at_ms = ?3, generation = ?4"                \
		       " WHERE event_id = ?1")                                                     \
	X(MAPPING_GET, "SELECT state FROM mapping WHERE event_id = ?1")                            \
	X(MAPPING_DROP, "DELETE FROM mapping WHERE event_id = ?1")                                 \
	X(REJECT_PUT, "INSERT INTO rejection(event_id, rule, reason, at_ms)"                       \
		      " VALUES(?1, ?2, ?3, ?4)")                                                   \
	X(REJECT_LIST, "SELECT rule, reason, at_ms FROM rejection WHERE event_id = ?1"             \
		       " ORDER BY id")                                                             \
	X(REJECT_DROP, "DELETE FROM rejection WHERE event_id = ?1 AND rule = ?2")                  \
	X(REJECT_DROP_ALL, "DELETE FROM rejection WHERE event_id = ?1")                            \
	X(REJECT_ANY, "SELECT 1 FROM rejection WHERE event_id = ?1 LIMIT 1")                       \
	X(REJECT_WHOLE, "SELECT 1 FROM rejection WHERE event_id = ?1 AND rule = '' LIMIT 1")       \
	/* replays */                                                                              \
	X(REPLAY_PUT, "INSERT INTO replay(state, filter, who, reason, begun_ms, at, upto,"         \
		      " events, deliveries, rejected) VALUES(0, ?1, ?2, ?3, ?4, 0, ?5, 0, 0, 0)")  \
	X(REPLAY_RUNNING, "SELECT id, at FROM replay INDEXED BY replay_running WHERE state = 0"    \
			  " LIMIT 1")                                                              \
	X(REPLAY_GET, "SELECT id, state, filter, who, reason, begun_ms, ended_ms, at, upto,"       \
		      " events, deliveries, rejected, last_rejection FROM replay WHERE id = ?1")   \
	X(REPLAY_LIST, "SELECT id, state, filter, who, reason, begun_ms, ended_ms, at, upto,"      \
		       " events, deliveries, rejected, last_rejection FROM replay"                 \
		       " WHERE id < ?1 ORDER BY id DESC LIMIT ?2")                                 \
	X(REPLAY_STEP, "UPDATE replay SET at = ?2, events = events + 1, deliveries ="              \
		       " deliveries + ?3, rejected = rejected + ?4, last_rejection ="              \
		       " coalesce(?5, last_rejection) WHERE id = ?1")                              \
	X(REPLAY_END, "UPDATE replay SET state = ?2, ended_ms = ?3 WHERE id = ?1")                 \
	/* deliveries */                                                                           \
	X(DLV_PUT, "INSERT INTO delivery(id, event_id, rule, output_no, connector, operation,"     \
		   " lane_id, key, effect, state, created_ms, next_ms, valid_until_ms,"            \
		   " on_unknown, on_dead, part, replay_no) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8," \
		   " ?9, 0, ?10, ?10, ?11, ?12, ?13, ?14, ?15)")                                   \
	X(DLV_GET, "SELECT " GAN_DLV_COLS " FROM delivery WHERE id = ?1")                          \
	X(DLV_SHOW, "SELECT " GAN_DLV_COLS " FROM delivery WHERE id = ?1")                         \
	X(DLV_LAST, "SELECT coalesce(max(id), 0) FROM delivery")                                   \
	X(DLV_HAS, "SELECT 1 FROM delivery INDEXED BY delivery_event WHERE event_id = ?1 AND"      \
		   " rule = ?2 AND output_no = ?3 AND replay_no = 0")                              \
	X(DLV_OF_EVENT, "SELECT " GAN_DLV_COLS " FROM delivery INDEXED BY delivery_event"          \
			" WHERE event_id = ?1 ORDER BY rule, output_no, replay_no")                \
	X(DLV_OF_KEY, "SELECT id FROM delivery INDEXED BY delivery_key WHERE part = ?2 AND"        \
		      " key = ?1 ORDER BY id DESC")                                                \
	X(DLV_FIRST_PART, "SELECT part FROM delivery ORDER BY id LIMIT 1")                         \
	X(DLV_LIST, "SELECT " GAN_DLV_COLS " FROM delivery WHERE id < ?1 ORDER BY id DESC")        \
	X(DLV_LIST_KEY, "SELECT " GAN_DLV_COLS " FROM delivery INDEXED BY delivery_key"            \
			" WHERE part = ?3 AND key = ?2 AND id < ?1 ORDER BY id DESC")              \
	X(DLV_LIST_ATTENTION, "SELECT " GAN_DLV_COLS " FROM (SELECT id AS open_id FROM attention"  \
			      " WHERE what = 'd') CROSS JOIN delivery ON id = open_id"             \
			      " WHERE open_id < ?1 ORDER BY open_id DESC")                         \
	X(DLV_STATE, "UPDATE delivery SET state = ?2, next_ms = ?3, attempts = ?4,"                \
		     " first_sent_ms = ?5, maybe_sent = ?6, held = ?7, reason = ?8,"               \
		     " valid_until_ms = ?9 WHERE id = ?1")                                         \
	X(DLV_CLOSE, "UPDATE delivery SET state = ?2, next_ms = ?3, attempts = ?4,"                \
		     " first_sent_ms = ?5, maybe_sent = ?6, held = ?7, reason = ?8,"               \
		     " valid_until_ms = ?9, lane_id = NULL WHERE id = ?1")                         \
	X(DLV_LANE, "UPDATE delivery SET lane_id = ?2 WHERE id = ?1")                              \
	X(DLV_TRIED, "UPDATE delivery SET last_status = ?2, last_error = ?3, last_ms = ?4"         \
		     " WHERE id = ?1")                                                             \
	X(DLV_SENDING, "UPDATE delivery SET state = 1, reason = NULL, first_sent_ms = ?2,"         \
		       " held = 0 WHERE id = ?1")                                                  \
	X(DLV_OPEN_OF_EVENT, "SELECT 1 FROM delivery INDEXED BY delivery_event WHERE"              \
			     " event_id = ?1 AND state NOT IN (2, 6) LIMIT 1")                     \
	X(EVENT_OUTCOME, "SELECT NOT EXISTS(SELECT 1 FROM delivery INDEXED BY delivery_event"      \
			 " WHERE event_id = ?1 AND state IN (0, 1)) FROM mapping WHERE"            \
			 " event_id = ?1")                                                         \
	X(DLV_NEWEST_OF_EVENT, "SELECT max(id) FROM delivery INDEXED BY delivery_event WHERE"      \
			       " event_id = ?1 AND key = ?2")                                      \
	X(DLV_DROP, "DELETE FROM delivery WHERE id = ?1")                                          \
	X(PAYLOAD_PUT, "INSERT INTO payload(delivery_id, body, after, newest) VALUES(?1, ?2, ?3,"  \
		       " ?4)")                                                                     \
	X(PAYLOAD_GET, "SELECT body, after, newest FROM payload WHERE delivery_id = ?1")           \
	X(NEWEST_GET, "SELECT value, delivery_id FROM newest WHERE connector = ?1 AND"             \
		      " operation = ?2 AND key = ?3")                                              \
	X(NEWEST_PUT, "INSERT OR REPLACE INTO newest(connector, operation, key, value,"            \
		      " delivery_id) VALUES(?1, ?2, ?3, ?4, ?5)")                                  \
	X(PAYLOAD_DROP, "DELETE FROM payload WHERE delivery_id = ?1")                              \
	X(PAYLOAD_AFTER, "SELECT after FROM payload WHERE delivery_id = ?1")                       \
	X(PAYLOAD_FREE, "UPDATE payload SET after = NULL WHERE delivery_id = ?1")                  \
	X(RESPONSE_PUT, "INSERT OR REPLACE INTO response(delivery_id, body) VALUES(?1, ?2)")       \
	X(RESPONSE_GET, "SELECT body FROM response WHERE delivery_id = ?1")                        \
	X(RESPONSE_DROP, "DELETE FROM response WHERE delivery_id = ?1")                            \
	X(ATTEMPT_PUT, "INSERT INTO attempt(id, delivery_id, started_ms, ended_ms, request,"       \
		       " status, verdict, error, response_head, response, response_cut)"           \
		       " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)")                    \
	X(ATTEMPT_LAST, "SELECT coalesce(max(id), 0) FROM attempt")                                \
	X(ATTEMPT_LIST, "SELECT id, started_ms, ended_ms, verdict, status, error, request,"        \
			" response_head, response, response_cut FROM attempt"                      \
			" WHERE delivery_id = ?1 ORDER BY id")                                     \
	X(ATTEMPT_DROP, "DELETE FROM attempt WHERE delivery_id = ?1")                              \
	X(ATTEMPT_NEWEST, "SELECT status, response, verdict = 'delivered' AND response_cut = 0"    \
			  " FROM attempt INDEXED BY attempt_delivery"                              \
			  " WHERE delivery_id = ?1 ORDER BY id DESC LIMIT 1")                      \
	/* answers */                                                                              \
	X(ANSWER_PUT, "INSERT INTO answer(event_id, delivery_id, origin_id, depth, origin_key)"    \
		      " VALUES(?1, ?2, ?3, ?4, ?5)")                                               \
	X(ANSWER_GET, "SELECT delivery_id, origin_id, depth, origin_key FROM answer"               \
		      " WHERE event_id = ?1")                                                      \
	X(ANSWER_LIST, "SELECT event_id FROM answer INDEXED BY answer_delivery"                    \
		       " WHERE delivery_id = ?1 ORDER BY event_id LIMIT 100")                      \
	X(ANSWER_DROP, "DELETE FROM answer WHERE event_id = ?1")                                   \
	/* lanes */                                                                                \
	X(LANE_PUT, "INSERT INTO lane(id, connector, key, open, head, prio, next_ms)"              \
		    " VALUES(?1, ?2, ?3, 1, ?1, ?4, ?5)")                                          \
	X(LANE_FIND,                                                                               \
	    "SELECT id, prio FROM lane INDEXED BY lane_key WHERE connector = ?1 AND key = ?2")     \
	X(LANE_GET, "SELECT connector, key, open, head, lease_until FROM lane WHERE id = ?1")      \
	X(LANE_ADD, "UPDATE lane SET open = open + ?2 WHERE id = ?1")                              \
	X(LANE_PRIO, "UPDATE lane SET prio = ?2 WHERE id = ?1")                                    \
	X(LANE_TAIL, "SELECT replay_no FROM delivery INDEXED BY delivery_lane WHERE"               \
		     " lane_id = ?1 AND lane_id <> id ORDER BY id DESC LIMIT 16")                  \
	X(LANE_FIRST, "SELECT id, state, next_ms, attempts, replay_no FROM delivery"               \
		      " WHERE id = ?1 AND lane_id = ?1")                                           \
	X(LANE_NEXT, "SELECT id, state, next_ms, attempts, replay_no FROM delivery"                \
		     " INDEXED BY delivery_lane WHERE lane_id = ?1 AND lane_id <> id"              \
		     " ORDER BY id LIMIT 1")                                                       \
	X(LANE_PLACED, "SELECT d.id, d.state, d.next_ms, d.attempts, d.replay_no, p.place"         \
		       " FROM place p CROSS JOIN delivery d ON d.id = p.delivery_id AND"           \
		       " d.lane_id = p.lane_id WHERE p.lane_id = ?1 ORDER BY p.place,"             \
		       " p.delivery_id LIMIT 1")                                                   \
	X(LANE_ARM, "UPDATE lane SET head = ?2, prio = ?3, next_ms = ?4, lease_owner = NULL,"      \
		    " lease_until = NULL, blocked_ms = NULL WHERE id = ?1")                        \
	X(LANE_BLOCK, "UPDATE lane SET head = ?2, next_ms = NULL, lease_owner = NULL,"             \
		      " lease_until = NULL, blocked_ms = coalesce(blocked_ms, ?3) WHERE id = ?1")  \
	X(LANE_LEASE, "UPDATE lane SET next_ms = NULL, lease_owner = ?2, lease_until = ?3"         \
		      " WHERE id = ?1")                                                            \
	X(LANE_DROP, "DELETE FROM lane WHERE id = ?1")                                             \
	X(LANE_DUE, "SELECT id, head FROM lane INDEXED BY lane_due WHERE connector = ?1 AND"       \
		    " prio = ?2 AND next_ms <= ?3 ORDER BY next_ms, id LIMIT ?4")                  \
	X(LANE_SOONEST, "SELECT next_ms FROM lane INDEXED BY lane_due WHERE connector = ?1 AND"    \
			" prio = ?2 AND next_ms IS NOT NULL ORDER BY next_ms LIMIT 1")             \
	X(LANE_DUE_CONNECTOR, "SELECT min(connector) FROM lane INDEXED BY lane_due WHERE"          \
			      " next_ms IS NOT NULL AND connector > ?1")                           \
	X(LANE_LATE, "SELECT id, head FROM lane INDEXED BY lane_lease WHERE connector = ?1 AND"    \
		     " lease_until <= ?2 ORDER BY lease_until LIMIT 64")                           \
	X(LANE_LEASED, "SELECT lease_until FROM lane INDEXED BY lane_lease WHERE connector = ?1"   \
		       " AND lease_until IS NOT NULL ORDER BY lease_until LIMIT 1")                \
	X(LANE_ANY_LEASED, "SELECT id, head FROM lane INDEXED BY lane_lease WHERE"                 \
			   " lease_until IS NOT NULL LIMIT 1")                                     \
	X(LANE_LIST, "SELECT id, connector, key, open, head, next_ms, lease_until, blocked_ms"     \
		     " FROM lane WHERE id > ?1 ORDER BY id")                                       \
	X(LANE_LIST_BLOCKED, "SELECT id, connector, key, open, head, next_ms, lease_until,"        \
			     " blocked_ms FROM lane INDEXED BY lane_blocked WHERE blocked_ms IS"   \
			     " NOT NULL AND (blocked_ms, id) > (?1, ?2) ORDER BY blocked_ms, id")  \
	X(LANE_LIST_KEY, "SELECT id, connector, key, open, head, next_ms, lease_until,"            \
			 " blocked_ms FROM lane INDEXED BY lane_key WHERE connector = ?1 AND"      \
			 " key = ?2")                                                              \
	/* effects */                                                                              \
	X(EFFECT_GET, "SELECT f.delivery_id, f.body_hash, f.done, d.state, d.maybe_sent,"          \
		      " l.head FROM effect f LEFT JOIN delivery d ON d.id = f.delivery_id"         \
		      " LEFT JOIN lane l ON l.id = d.lane_id"                                      \
		      " WHERE f.effect = ?1 AND f.connector = ?2")                                 \
	X(EFFECT_PUT, "INSERT OR REPLACE INTO effect(effect, connector, delivery_id, body_hash,"   \
		      " done, at_ms) VALUES(?1, ?2, ?3, ?4, 0, ?5)")                               \
	X(EFFECT_DONE, "UPDATE effect SET done = 1, at_ms = ?4 WHERE effect = ?1 AND"              \
		       " connector = ?2 AND delivery_id = ?3")                                     \
	X(EFFECT_HAND, "UPDATE effect SET delivery_id = ?4, body_hash = ?5, at_ms = ?6 WHERE"      \
		       " effect = ?1 AND connector = ?2 AND delivery_id = ?3 AND done = 0")        \
	X(EFFECT_IS_DONE, "SELECT 1 FROM effect WHERE effect = ?1 AND done = 1 LIMIT 1")           \
	X(EFFECT_OWNERS, "SELECT delivery_id FROM effect WHERE effect = ?1")                       \
	X(EFFECT_WAIT, "INSERT OR IGNORE INTO effect_wait(effect, delivery_id) VALUES(?1, ?2)")    \
	X(EFFECT_WAITERS, "SELECT delivery_id FROM effect_wait WHERE effect = ?1 AND"              \
			  " delivery_id > ?2 ORDER BY delivery_id LIMIT 64")                       \
	X(EFFECT_UNWAIT, "DELETE FROM effect_wait WHERE effect = ?1 AND delivery_id = ?2")         \
	/* corrections; those of one (event, rule, output) count downwards from -1 */              \
	X(REVISION_PUT, "INSERT INTO revision(delivery_id, state, body, who, at_ms, reason)"       \
			" VALUES(?1, 0, ?2, ?3, ?4, ?5)")                                          \
	X(REVISION_LATER, "UPDATE revision SET state = 2 WHERE delivery_id = ?1 AND state = 0")    \
	X(REVISION_WAITS, "SELECT id, who, at_ms, reason, body FROM revision"                      \
			  " WHERE delivery_id = ?1 AND state = 0")                                 \
	X(REVISION_DONE, "UPDATE revision SET state = 1, approved_by = ?2, approved_ms = ?3,"      \
			 " copy_id = ?4, place = ?5 WHERE id = ?1")                                \
	X(REVISION_OF, "SELECT delivery_id, who, at_ms, reason, approved_by, approved_ms, place"   \
		       " FROM revision INDEXED BY revision_copy WHERE copy_id = ?1")               \
	X(REVISION_COPY, "SELECT copy_id FROM revision WHERE delivery_id = ?1 AND state = 1")      \
	X(REVISION_DROP, "DELETE FROM revision WHERE delivery_id = ?1")                            \
	X(REVISION_DLV, "INSERT INTO delivery(id, event_id, rule, output_no, replay_no,"           \
			" connector, operation, lane_id, key, effect, state, created_ms,"          \
			" next_ms, on_unknown, on_dead, part) SELECT ?2, event_id, rule,"          \
			" output_no, (SELECT min(0, min(x.replay_no)) - 1 FROM delivery x"         \
			" INDEXED BY delivery_event WHERE x.event_id = d.event_id AND"             \
			" x.rule = d.rule AND x.output_no = d.output_no), connector,"              \
			" operation, ?3, key, effect, 0, ?4, ?4, on_unknown, on_dead, ?5"          \
			" FROM delivery d WHERE d.id = ?1")                                        \
	X(REVISION_PAYLOAD, "INSERT INTO payload(delivery_id, body, after) SELECT ?2, ?3, after"   \
			    " FROM payload WHERE delivery_id = ?1")                                \
	X(PLACE_PUT, "INSERT OR REPLACE INTO place(lane_id, place, delivery_id)"                   \
		     " VALUES(?1, ?2, ?3)")                                                        \
	X(PLACE_DROP, "DELETE FROM place WHERE lane_id = ?1 AND delivery_id = ?2")                 \
	/* outboxes */                                                                             \
	X(OUTBOX_PUT, "INSERT INTO outbox(connector, pos, delivery_id) VALUES(?1, ?2, ?3)")        \
	X(OUTBOX_OUT, "UPDATE delivery SET lane_id = NULL, held = 0, reason = NULL,"               \
		      " first_sent_ms = NULL WHERE id = ?1")                                       \
	X(OUTBOX_DROP, "DELETE FROM outbox WHERE delivery_id = ?1")                                \
	X(OUTBOX_GET, "SELECT connector, pos FROM outbox INDEXED BY outbox_delivery"               \
		      " WHERE delivery_id = ?1")                                                   \
	X(OUTBOX_NEXT, "SELECT pos, delivery_id FROM outbox WHERE connector = ?1 AND pos > ?2"     \
		       " ORDER BY pos LIMIT ?3")                                                   \
	X(OUTBOX_UPTO, "SELECT pos, delivery_id FROM outbox WHERE connector = ?1 AND pos <= ?2"    \
		       " ORDER BY pos LIMIT ?3")                                                   \
	X(OUTBOX_OLDEST, "SELECT d.created_ms FROM outbox o CROSS JOIN delivery d ON"              \
			 " d.id = o.delivery_id WHERE o.connector = ?1 ORDER BY o.pos LIMIT 1")    \
	X(OUTBOX_BEFORE, "SELECT 1 FROM lane l INDEXED BY lane_key WHERE l.connector = ?1 AND"     \
			 " l.key = ?2 AND coalesce((SELECT p.place FROM place p WHERE"             \
			 " p.lane_id = l.id AND p.delivery_id = l.head), l.head) < ?3")            \
	X(READER_GET, "SELECT last, shown, acked FROM outbox_reader WHERE connector = ?1")         \
	X(READER_PUT, "INSERT INTO outbox_reader(connector, last, backlog, shown, acked)"          \
		      " VALUES(?1, ?2, 1, 0, 0) ON CONFLICT(connector) DO UPDATE SET"              \
		      " last = excluded.last, backlog = backlog + 1")                              \
	X(READER_LESS, "UPDATE outbox_reader SET backlog = backlog - 1 WHERE connector = ?1")      \
	X(READER_SHOWN, "UPDATE outbox_reader SET shown = ?2 WHERE connector = ?1")                \
	X(READER_ACKED, "UPDATE outbox_reader SET acked = ?2 WHERE connector = ?1 AND acked < ?2") \
	X(READER_ALL, "SELECT connector, backlog FROM outbox_reader ORDER BY connector")           \
	/* people */                                                                               \
	X(ATTENTION_PUT, "INSERT OR REPLACE INTO attention(id, what, kind, since_ms)"              \
			 " VALUES(?1, ?2, ?3, ?4)")                                                \
	X(ATTENTION_HAS, "SELECT 1 FROM attention WHERE id = ?1 AND what = ?2")                    \
	X(ATTENTION_DROP, "DELETE FROM attention WHERE id = ?1 AND what = ?2")                     \
	X(ATTENTION_LIST, "SELECT id, what, kind, since_ms FROM attention"                         \
			  " WHERE (id, what) < (?1, ?2) ORDER BY id DESC, what DESC")              \
	X(AUDIT_PUT, "INSERT INTO audit(id, at_ms, who, verb, object, reason, before, after)"      \
		     " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")                                    \
	X(AUDIT_LAST, "SELECT coalesce(max(id), 0) FROM audit")                                    \
	X(AUDIT_LIST, "SELECT id, at_ms, who, verb, object, reason, before, after FROM audit"      \
		      " WHERE id < ?1 ORDER BY id DESC")                                           \
	X(AUDIT_OF, "SELECT id, at_ms, who, verb, object, reason, before, after FROM audit"        \
		    " WHERE object = ?1 ORDER BY id LIMIT 200")                                    \
	X(AUDIT_RETAIN, "DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE id < ?1"        \
			" ORDER BY id LIMIT 200)")                                                 \
	X(PAUSE_PUT, "INSERT INTO paused(connector, reason, since_ms, who)"                        \
		     " VALUES(?1, ?2, ?3, ?4)")                                                    \
	X(PAUSE_GET, "SELECT reason, since_ms FROM paused WHERE connector = ?1")                   \
	X(PAUSE_DROP, "DELETE FROM paused WHERE connector = ?1")                                   \
	X(PAUSE_LIST, "SELECT connector, reason, since_ms FROM paused ORDER BY connector")         \
	X(QUAR_PUT, "INSERT INTO quarantine(id, source, topic, headers, why, remote,"              \
		    " received_ms, size, body) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)")        \
	X(QUAR_LAST, "SELECT coalesce(max(id), 0) FROM quarantine")                                \
	X(QUAR_SUM, "SELECT coalesce(sum(size), 0) FROM quarantine")                               \
	X(QUAR_OLDEST, "SELECT id, size FROM quarantine ORDER BY id LIMIT 1")                      \
	X(QUAR_GET, "SELECT source, topic, headers, received_ms, body, size FROM quarantine"       \
		    " WHERE id = ?1")                                                              \
	X(QUAR_DROP, "DELETE FROM quarantine WHERE id = ?1")                                       \
	X(QUAR_LIST, "SELECT id, source, topic, why, remote, received_ms, size, headers"           \
		     " FROM quarantine WHERE id < ?1 ORDER BY id DESC")                            \
	/* feeds and reconciliation */                                                             \
	X(FEED_BEGIN, "INSERT INTO feed_channel(source, channel, type, reading_ms)"                \
		      " VALUES(?1, ?2, ?3, ?4) ON CONFLICT(source, channel) DO UPDATE SET"         \
		      " type = excluded.type, reading_ms = excluded.reading_ms")                   \
	X(FEED_END, "UPDATE feed_channel SET reading_ms = NULL, read_ms = coalesce(?3, read_ms),"  \
		    " lost = lost + ?4 WHERE source = ?1 AND channel = ?2")                        \
	X(FEED_TOLD, "UPDATE feed_channel SET events = events + ?3 WHERE source = ?1 AND"          \
		     " channel = ?2")                                                              \
	X(FEED_ALL, "SELECT source, channel, type, reading_ms, read_ms, events, lost FROM"         \
		    " feed_channel ORDER BY source, channel")                                      \
	X(FEED_KEEP, "INSERT INTO feed_spool(source, channel, type, read_ms, body)"                \
		     " VALUES(?1, ?2, ?3, ?4, ?5)")                                                \
	X(FEED_OLDEST, "SELECT id, source, channel, type, read_ms, body FROM feed_spool"           \
		       " ORDER BY id LIMIT 1")                                                     \
	X(FEED_DROP, "DELETE FROM feed_spool WHERE id = ?1")                                       \
	X(SEEN_GET, "SELECT told, missing_ms FROM reconcile_seen WHERE source = ?1 AND type = ?2"  \
		    " AND entity = ?3")                                                            \
	X(SEEN_PUT,                                                                                \
	    "INSERT OR REPLACE INTO reconcile_seen(source, type, entity, told, missing_ms,"        \
	    " listed_ms, at_ms) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)")                               \
	X(SEEN_TOLD,                                                                               \
	    "INSERT INTO reconcile_seen(source, type, entity, told, at_ms) VALUES(?1, ?2,"         \
	    " ?3, ?4, ?5) ON CONFLICT(source, type, entity) DO UPDATE SET"                         \
	    " told = excluded.told, at_ms = excluded.at_ms")                                       \
	X(SEEN_UNLISTED, "SELECT entity FROM reconcile_seen INDEXED BY reconcile_listed"           \
			 " WHERE source = ?1 AND type = ?2 AND listed_ms < ?3 AND entity > ?4"     \
			 " ORDER BY entity LIMIT 1")                                               \
	X(SEEN_RETAIN,                                                                             \
	    "DELETE FROM reconcile_seen WHERE (source, type, entity) IN (SELECT source,"           \
	    " type, entity FROM reconcile_seen INDEXED BY reconcile_old WHERE at_ms <"             \
	    " ?1 ORDER BY at_ms LIMIT 1000)")                                                      \
	X(RECON_PUT, "INSERT OR IGNORE INTO reconcile_mark(source, type) VALUES(?1, ?2)")          \
	X(RECON_AT, "UPDATE reconcile_mark SET at_ms = ?3 WHERE source = ?1 AND type = ?2")        \
	X(RECON_MISSED, "UPDATE reconcile_mark SET missed = missed + ?3 WHERE source = ?1 AND"     \
			" type = ?2")                                                              \
	X(RECON_MOVES,                                                                             \
	    "UPDATE reconcile_mark SET told = told + ?3 WHERE source = ?1 AND type = ?2")          \
	X(RECON_LISTED,                                                                            \
	    "UPDATE reconcile_mark SET at_ms = ?3, listed = ?4, told = CASE WHEN at_ms"            \
	    " = 0 THEN ?4 ELSE told END WHERE source = ?1 AND type = ?2")                          \
	X(RECON_ALL, "SELECT source, type, at_ms, missed, listed, told FROM reconcile_mark")       \
	X(RECON_EVENTS, "SELECT id, source, topic, topic_raw, received_ms, meta, body FROM event"  \
			" WHERE id > ?1 ORDER BY id LIMIT ?2")                                     \
	/* keeping */                                                                              \
	X(DEDUPE_PUT, "INSERT INTO dedupe_log(id, at_ms, entries) VALUES(?1, ?2, ?3)")             \
	X(DEDUPE_AFTER, "SELECT id, at_ms, entries FROM dedupe_log WHERE id > ?1 ORDER BY id")     \
	X(DIGEST_PUT, "INSERT INTO dedupe_digest(id, at_ms, entries) VALUES(?1, ?2, ?3)")          \
	X(DIGEST_ALL, "SELECT id, at_ms, entries FROM dedupe_digest ORDER BY id")                  \
	X(DIGEST_RETAIN, "DELETE FROM dedupe_digest WHERE id < (SELECT max(id) FROM"               \
			 " dedupe_digest WHERE id <= ?1)")                                         \
	X(DEDUPE_ROWS, "SELECT entries FROM dedupe_log WHERE id BETWEEN ?1 AND ?2 ORDER BY id")    \
	X(DEDUPE_RETAIN, "DELETE FROM dedupe_log WHERE id IN (SELECT id FROM dedupe_log WHERE"     \
			 " id < ?1 ORDER BY id LIMIT 200)")                                        \
	X(COUNTER_ADD, "INSERT INTO counter(id, value) VALUES(?1, ?2) ON CONFLICT(id) DO"          \
		       " UPDATE SET value = value + excluded.value")                               \
	X(COUNTER_ALL, "SELECT id, value FROM counter")                                            \
	X(TOPIC_ADD, "INSERT INTO topic_count(source_topic, ignored) VALUES(?1, ?2)"               \
		     " ON CONFLICT(source_topic) DO UPDATE SET ignored = ignored +"                \
		     " excluded.ignored")                                                          \
	X(TOPIC_ALL, "SELECT source_topic, ignored FROM topic_count ORDER BY source_topic"         \
		     " = '(other)', source_topic")                                                 \
	X(MARK_SET, "INSERT OR REPLACE INTO mark(name, value) VALUES(?1, ?2)")                     \
	X(MARK_GET, "SELECT value FROM mark WHERE name = ?1")                                      \
	X(KEEP_PUT, "INSERT OR REPLACE INTO keep(name, data) VALUES(?1, ?2)")                      \
	X(KEEP_GET, "SELECT data FROM keep WHERE name = ?1")                                       \
	X(LATER_PUT, "INSERT OR REPLACE INTO retain_later(event_id, due_ms) VALUES(?1, ?2)")       \
	X(LATER_LIST, "SELECT r.event_id, m.state FROM retain_later r LEFT JOIN mapping m ON"      \
		      " m.event_id = r.event_id WHERE r.event_id > ?1 AND r.due_ms <= ?2"          \
		      " ORDER BY r.event_id LIMIT ?3")                                             \
	X(LATER_DROP, "DELETE FROM retain_later WHERE event_id = ?1")

enum gan_sql {
#define X(name, text) GAN_SQL_##name,
	GAN_SQL_MAP(X)
#undef X
	    GAN_SQL_COUNT
};
