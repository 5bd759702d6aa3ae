/* SPDX-License-Identifier: MIT */
/*
 * schema_rows.c - the table.  A new key is a new row here and a member in
 * config.h; order is the order of the manual page.
 */
#include "base/mem.h"
#include "conf/config.h"
#include "conf/operation.h"
#include "conf/schema.h"

/* Where a value goes: in the whole configuration, a connector's delivery settings, ... */
#define AT(type, member) .offset = offsetof(type, member), .size = sizeof(((type *)0)->member)
#define CONF(member) AT(struct gan_config, member)
#define DELIVER(member) AT(struct gan_conf_deliver, member)
#define SOURCE(member) AT(struct gan_conf_source, member)
#define CONNECTOR(member) AT(struct gan_conf_connector, member)
#define OPERATION(member) AT(struct gan_conf_operation, member)

#define MS INT64_C(1)
#define S (1000 * MS)
#define M (60 * S)
#define H (60 * M)
#define D (24 * H)
#define Y (365 * D)
#define KIB (INT64_C(1) << 10)
#define MIB (INT64_C(1) << 20)
#define GIB (INT64_C(1) << 30)
#define TIB (INT64_C(1) << 40)

#define REACHED (GAN_K_MOVILITAS | GAN_K_FLEX2B | GAN_K_PRODSMART | GAN_K_HTTP)
#define DECLARES (GAN_K_MOVILITAS | GAN_K_PRODSMART | GAN_K_HTTP)

/* clang-format off */
const struct gan_schema_row gan_schema_rows[] = {
	{ "version", GAN_T_INT, .flags = GAN_F_REQUIRED, .min = 1, .max = 1,
	    .help = "Format of this file." },
	{ "site", GAN_T_TEXT, .dflt = "gantry", .min = 1, .max = 64, CONF(site),
	    .help = "Name of the plant, shown in logs and metrics." },
	{ "time_zone", GAN_T_ZONE, .dflt = "UTC", CONF(time_zone),
	    .help = "Zone of dates that carry none, as in /usr/share/zoneinfo: *Europe/Lisbon*." },
	{ "secrets", GAN_T_PATH, .dflt = "secrets", CONF(secrets_dir),
	    .help = "Folder of the secret files. A systemd credential of the same name wins." },
	{ "require_reason", GAN_T_BOOL, .dflt = "false", CONF(require_reason),
	    .help = "Whether commands of gantryctl(1) that change something need *--reason*." },
	{ "require_approval", GAN_T_BOOL, .dflt = "false", CONF(require_approval),
	    .help = "Whether what *gantryctl correct* edits is sent only when another user approves "
		    "it." },

	{ "listen", GAN_T_MAP,
	    .help = "Where gantryd listens. Addresses, the socket and _max_connections_ change with a "
		    "restart only." },
	{ "listen.public", GAN_T_MAP, .help = "The listener for webhooks and ERP posts." },
	{ "listen.public.address", GAN_T_ADDRESS, .dflt = "127.0.0.1:8480", CONF(public.address),
	    .help = "Numeric address and port. Put a reverse proxy that ends TLS in front of it." },
	{ "listen.public.max_body", GAN_T_SIZE, .dflt = "1MiB", .min = KIB, .max = 16 * MIB,
	    CONF(public.max_body), .help = "Larger bodies are answered with 413." },
	{ "listen.public.max_connections", GAN_T_INT, .dflt = "512", .min = 1, .max = 4096,
	    CONF(public.max_connections),
	    .help = "Connections at the same time. While all are taken and others wait, one that stays "
		    "silent is closed after 0.3 s instead of 5, and a slow one after 0.5 s (more for a "
		    "body or an answer that moves at 4 KB/s)." },
	{ "listen.public.keep_alive", GAN_T_BOOL, .dflt = "false", CONF(public.keep_alive),
	    .help = "Whether a connection may carry more than one request. "
		    "Set it only behind a trusted proxy on loopback." },
	{ "listen.public.trusted_proxies", GAN_T_LIST, .max = 16,
	    .help = "Proxies whose X-Forwarded-For is believed." },
	{ "listen.public.trusted_proxies[]", GAN_T_IP, .help = "A numeric address." },
	{ "listen.admin", GAN_T_MAP,
	    .help = "The read-only listener for metrics and status; without it there is none." },
	{ "listen.admin.address", GAN_T_ADDRESS, .flags = GAN_F_REQUIRED, CONF(admin),
	    .help = "A loopback address and port: *127.0.0.1:8481*." },
	{ "listen.control", GAN_T_MAP, .help = "The socket of gantryctl(1)." },
	{ "listen.control.socket", GAN_T_PATH, .dflt = "/run/gantry/control.sock",
	    CONF(control_socket), .help = "Only its owner and group can open it." },

	{ "store", GAN_T_MAP, .help = "The database. _engine_, _path_ and _spool_ change with a restart only." },
	{ "store.engine", GAN_T_ENUM, .dflt = "sqlite", .choices = "sqlite|postgresql",
	    CONF(store.postgresql), .help = "*postgresql* is not built yet and refused." },
	{ "store.path", GAN_T_PATH, .dflt = "/var/lib/gantry/gantry.db", CONF(store.path),
	    .help = "The SQLite file, on a local disk." },
	{ "store.min_free", GAN_T_SIZE, .dflt = "256MiB", .min = 0, .max = TIB,
	    CONF(store.min_free),
	    .help = "With less free space on its disk it takes no new events: webhooks go to the "
		    "spool, others are answered with 503." },
	{ "store.spool", GAN_T_SIZE, .dflt = "64MiB", .min = 0, .max = GIB, CONF(store.spool),
	    .help = "Size of the emergency spool beside the database, allocated at the first start. "
		    "It keeps webhooks while the database takes no events. *0* for none." },
	{ "store.retention", GAN_T_MAP, .help = "How long finished things are kept." },
	{ "store.retention.delivered", GAN_T_DURATION, .dflt = "90d", .min = S, .max = 100 * Y,
	    CONF(store.keep_delivered_ms), .help = "Events whose deliveries are all done." },
	{ "store.retention.ignored", GAN_T_DURATION, .dflt = "30d", .min = S, .max = 100 * Y,
	    CONF(store.keep_ignored_ms), .help = "Events that no rule listened to." },
	{ "store.retention.rejected", GAN_T_DURATION, .dflt = "365d", .min = S, .max = 100 * Y,
	    CONF(store.keep_rejected_ms), .help = "Events that a rule rejected." },
	{ "store.retention.audit", GAN_T_DURATION, .dflt = "10y", .min = S, .max = 100 * Y,
	    CONF(store.keep_audit_ms), .help = "Who did what, and why." },

	{ "mapping", GAN_T_MAP, .help = "How events become requests; see gantry-rules(5)." },
	{ "mapping.rules", GAN_T_PATH, .dflt = "rules.d", CONF(mapping.rules),
	    .help = "Folder of the rules: _\\*.yaml_, read in name order." },
	{ "mapping.workers", GAN_T_INT, .dflt = "2", .min = 1, .max = 64, CONF(mapping.workers),
	    .help = "Processes that run the rules." },
	{ "mapping.timeout", GAN_T_DURATION, .dflt = "2s", .min = 10 * MS, .max = M,
	    CONF(mapping.timeout_ms),
	    .help = "Time for one event; a worker that needs longer is killed and replaced." },
	{ "mapping.memory", GAN_T_SIZE, .dflt = "256MiB", .min = 32 * MIB, .max = 16 * GIB,
	    CONF(mapping.memory), .help = "Address space of one worker." },
	{ "mapping.numbers", GAN_T_ENUM, .dflt = "exact", .choices = "exact|text|double",
	    CONF(mapping.numbers),
	    .help = "What becomes of a number that a double would change: *exact* rejects the "
		    "event, *text* gives it to the rule as a text, *double* rounds it." },

	{ "deliver", GAN_T_MAP, .flags = GAN_F_DELIVER,
	    .help = "How requests are sent. Each of these keys may also stand in a connector, "
		    "where it wins." },
	{ "deliver.timeout", GAN_T_MAP, .help = "Time limits of one attempt." },
	{ "deliver.timeout.connect", GAN_T_DURATION, .dflt = "5s", .min = 10 * MS, .max = 10 * M,
	    DELIVER(connect_ms), .help = "For the connection and its TLS." },
	{ "deliver.timeout.total", GAN_T_DURATION, .dflt = "30s", .min = 10 * MS, .max = 10 * M,
	    DELIVER(total_ms),
	    .help = "For the whole request. A flex2b connector uses 10s unless it is set." },
	{ "deliver.retry", GAN_T_MAP, .help = "When a request that may be repeated is tried again." },
	{ "deliver.retry.first", GAN_T_DURATION, .dflt = "5s", .min = MS, .max = H,
	    DELIVER(retry.first_ms), .help = "Pause after the first attempt." },
	{ "deliver.retry.factor", GAN_T_FLOAT, .dflt = "2", .min = 1, .max = 10,
	    DELIVER(retry.factor), .help = "Each pause is this much longer than the one before." },
	{ "deliver.retry.max", GAN_T_DURATION, .dflt = "15m", .min = MS, .max = D,
	    DELIVER(retry.max_ms), .help = "The longest pause." },
	{ "deliver.retry.jitter", GAN_T_PERCENT, .dflt = "20%", .min = 0, .max = 100,
	    DELIVER(retry.jitter_pct), .help = "Random part of a pause." },
	{ "deliver.retry.give_up", GAN_T_DURATION, .dflt = "72h", .min = S, .max = Y,
	    DELIVER(retry.give_up_ms), .help = "After this time a delivery is dead: a person decides." },
	{ "deliver.breaker", GAN_T_MAP, .help = "Leave a remote system alone that only fails." },
	{ "deliver.breaker.failures", GAN_T_INT, .dflt = "5", .min = 1, .max = 1000,
	    DELIVER(breaker_failures), .help = "Failures in a row that open the breaker." },
	{ "deliver.breaker.open", GAN_T_DURATION, .dflt = "60s", .min = 10 * MS, .max = H,
	    DELIVER(breaker_open_ms), .help = "Pause before one request probes again." },
	{ "deliver.concurrency", GAN_T_INT, .dflt = "4", .min = 1, .max = 64, DELIVER(concurrency),
	    .help = "Requests at the same time. Those with the same key go one by one always." },
	{ "deliver.on_unknown", GAN_T_ENUM, .dflt = "hold", .choices = "hold|probe|resend",
	    DELIVER(on_unknown),
	    .help = "What to do when nobody knows whether a request was processed: wait for a "
		    "person, look, or send again; as far as the operation allows it." },
	{ "deliver.probe_after", GAN_T_DURATION, .dflt = "30s", .min = 0, .max = H,
	    DELIVER(probe_after_ms),
	    .help = "With _on_unknown: probe_: how long the other side may need until what it was "
		    "sent can be seen there." },
	{ "deliver.on_dead", GAN_T_ENUM, .dflt = "block", .choices = "block|skip", DELIVER(on_dead),
	    .help = "Whether a refused delivery holds those behind it with the same key." },

	{ "sources", GAN_T_NAMED, .max = 64,
	    .help = "Where events come from. A name has 1 to 64 characters of a-z, 0-9 and -; "
		    "_answers_ is reserved." },
	{ "sources.*", GAN_T_MAP, .help = "One source." },
	{ "sources.*.kind", GAN_T_ENUM, .flags = GAN_F_REQUIRED | GAN_F_KIND,
	    .choices = "prodsmart-webhook|prodsmart-feed|http", SOURCE(kind),
	    .help = "*prodsmart-webhook*: POST /hooks/NAME. *http*: POST /v1/events/NAME/TOPIC. "
		    "*prodsmart-feed*: change channels." },
	{ "sources.*.secret", GAN_T_SECRETS, .kinds = GAN_K_WEBHOOK,
	    .flags = GAN_F_REQUIRED | GAN_F_STRONG, SOURCE(secrets),
	    .help = "Keys of the webhook's signature; two while one replaces the other." },
	{ "sources.*.signature", GAN_T_ENUM, .kinds = GAN_K_WEBHOOK, .flags = GAN_F_OR_MAP,
	    .dflt = "auto", .choices = "auto",
	    .help = "Form of the signature. *auto* takes every form that the vendor's "
		    "documentation can mean; a mapping pins it." },
	{ "sources.*.signature.header", GAN_T_HEADER, .kinds = GAN_K_WEBHOOK,
	    SOURCE(signature.header),
	    .help = "Header that carries it. Without it, the two known names." },
	{ "sources.*.signature.algorithm", GAN_T_ENUM, .kinds = GAN_K_WEBHOOK,
	    .choices = "sha1|sha256", SOURCE(signature.algorithm),
	    .help = "Digest of the HMAC. Goes with _encoding_." },
	{ "sources.*.signature.encoding", GAN_T_ENUM, .kinds = GAN_K_WEBHOOK,
	    .choices = "hex|base64|base64hex", SOURCE(signature.encoding),
	    .help = "How it is written; *base64hex* is base64 of the hex digits." },
	{ "sources.*.reconcile", GAN_T_MAP, .kinds = GAN_K_WEBHOOK | GAN_K_FEED,
	    .help = "Ask the sender's API for changes that it never told. See RECONCILIATION." },
	{ "sources.*.reconcile.every", GAN_T_DURATION, .kinds = GAN_K_WEBHOOK | GAN_K_FEED,
	    .flags = GAN_F_REQUIRED, .min = S, .max = 7 * D, SOURCE(reconcile.every_ms),
	    .help = "How often. A round takes a request for each 25 entities." },
	{ "sources.*.reconcile.overlap", GAN_T_DURATION, .kinds = GAN_K_WEBHOOK | GAN_K_FEED,
	    .dflt = "30m", .min = 0, .max = 7 * D, SOURCE(reconcile.overlap_ms),
	    .help = "How far each round looks back behind the last one." },
	{ "sources.*.reconcile.grace", GAN_T_DURATION, .kinds = GAN_K_WEBHOOK | GAN_K_FEED,
	    .dflt = "5m", .min = 0, .max = 7 * D, SOURCE(reconcile.grace_ms),
	    .help = "How late a change may be told by its sender: only what was found missing "
		    "this long ago and still is becomes an event." },
	{ "sources.*.reconcile.connector", GAN_T_TEXT, .kinds = GAN_K_WEBHOOK, .min = 1,
	    .max = 64, SOURCE(reconcile.connector),
	    .help = "The connector of kind prodsmart that is asked. Without it, the only one of "
		    "that kind; a feed asks its own." },
	{ "sources.*.tokens", GAN_T_SECRETS, .kinds = GAN_K_ERP,
	    .flags = GAN_F_STRONG, SOURCE(secrets),
	    .help = "Bearer tokens of the sender; two while one replaces the other. Either these, or "
		    "_basic_, or both while the sender changes over." },
	{ "sources.*.basic", GAN_T_MAP, .kinds = GAN_K_ERP,
	    .help = "A user and its password, for a sender that only knows HTTP Basic." },
	{ "sources.*.basic.user", GAN_T_TEXT, .kinds = GAN_K_ERP, .flags = GAN_F_REQUIRED, .min = 1,
	    .max = 128, SOURCE(basic_user), .help = "The user's name, a plain text without a colon." },
	{ "sources.*.basic.password", GAN_T_SECRETS, .kinds = GAN_K_ERP,
	    .flags = GAN_F_REQUIRED | GAN_F_STRONG, SOURCE(basic_passwords),
	    .help = "The user's password; two while one replaces the other." },
	{ "sources.*.connector", GAN_T_TEXT, .kinds = GAN_K_FEED, .flags = GAN_F_REQUIRED,
	    .min = 1, .max = 64, SOURCE(connector),
	    .help = "The connector of kind prodsmart that is polled." },
	{ "sources.*.channels", GAN_T_NAMED, .kinds = GAN_K_FEED, .flags = GAN_F_REQUIRED,
	    .max = GAN_CHANNELS_MAX,
	    .help = "Change channels to read: channel name, and the type of its records. Nobody "
		    "else may read them: what is read is gone." },
	{ "sources.*.channels.*", GAN_T_ENUM, .kinds = GAN_K_FEED,
	    .choices = "production|production-order|product|stock|punch-clock|downtime",
	    .help = "The first part of the topics: _production_ makes _production.changed_." },
	{ "sources.*.every", GAN_T_DURATION, .kinds = GAN_K_FEED, .dflt = "60s", .min = S,
	    .max = 12 * H, SOURCE(every_ms),
	    .help = "Pause between two polls of a channel. What is not read within a day is lost." },

	{ "connectors", GAN_T_NAMED, .max = 64,
	    .help = "The remote systems. Names are made as those of sources." },
	{ "connectors.*", GAN_T_MAP, .help = "One remote system. The keys of _deliver_ apply here too." },
	{ "connectors.*.kind", GAN_T_ENUM, .flags = GAN_F_REQUIRED | GAN_F_KIND,
	    .choices = "movilitas|flex2b|prodsmart|http|pull", CONNECTOR(kind),
	    .help = "What it is." },
	{ "connectors.*.base_url", GAN_T_URL, .kinds = REACHED, .flags = GAN_F_REQUIRED,
	    CONNECTOR(base_url),
	    .help = "Start of all its URLs. https, save for loopback addresses." },
	{ "connectors.*.ca_file", GAN_T_PATH, .kinds = REACHED, CONNECTOR(ca_file),
	    .help = "Certificates to trust instead of the system's." },
	{ "connectors.*.channel_key", GAN_T_SECRET, .kinds = GAN_K_MOVILITAS,
	    .flags = GAN_F_REQUIRED, CONNECTOR(channel_key),
	    .help = "Key of the shop floor channel, sent as x-channel-key." },
	{ "connectors.*.token", GAN_T_SECRET, .kinds = GAN_K_MOVILITAS, CONNECTOR(token),
	    .help = "Static token. Either this, or _api_key_ and _api_secret_." },
	{ "connectors.*.api_key", GAN_T_SECRET, .kinds = GAN_K_MOVILITAS, CONNECTOR(api_key),
	    .help = "For tokens that are fetched and renewed." },
	{ "connectors.*.api_key", GAN_T_SECRET, .kinds = GAN_K_PRODSMART, .flags = GAN_F_REQUIRED,
	    CONNECTOR(api_key), .help = "For tokens that are fetched and renewed." },
	{ "connectors.*.api_secret", GAN_T_SECRET, .kinds = GAN_K_MOVILITAS, CONNECTOR(api_secret),
	    .help = "Goes with _api_key_." },
	{ "connectors.*.api_secret", GAN_T_SECRET, .kinds = GAN_K_PRODSMART,
	    .flags = GAN_F_REQUIRED, CONNECTOR(api_secret), .help = "Goes with _api_key_." },
	{ "connectors.*.token_header", GAN_T_ENUM, .kinds = GAN_K_MOVILITAS,
	    .dflt = "x-access-token", .choices = "x-access-token|bearer",
	    CONNECTOR(movilitas_bearer),
	    .help = "How the token is sent: in x-access-token or as Authorization: Bearer." },
	{ "connectors.*.gs1", GAN_T_ENUM, .kinds = DECLARES, .dflt = "strict",
	    .choices = "strict|warn|off", CONNECTOR(gs1),
	    .help = "Checks of GTIN, SSCC, serial, lot and element string before a request is sent: "
		    "length, characters, check digit. *strict*: what is wrong is not sent." },
	{ "connectors.*.serials", GAN_T_ENUM, .kinds = DECLARES, .dflt = "gs1",
	    .choices = "gs1|alphanumeric", CONNECTOR(serials_plain),
	    .help = "What serials may hold: the 82 characters of GS1, or letters and digits only, as "
		    "markets of medicines want it." },
	{ "connectors.*.user", GAN_T_SECRET, .kinds = GAN_K_FLEX2B, .flags = GAN_F_REQUIRED,
	    CONNECTOR(user), .help = "Account that fetches the token." },
	{ "connectors.*.password", GAN_T_SECRET, .kinds = GAN_K_FLEX2B, .flags = GAN_F_REQUIRED,
	    CONNECTOR(password), .help = "Its password." },
	{ "connectors.*.token_header", GAN_T_ENUM, .kinds = GAN_K_FLEX2B, .dflt = "bearer",
	    .choices = "bearer|raw", CONNECTOR(flex2b_raw),
	    .help = "How the token is sent: Authorization: Bearer TOKEN, or the bare token." },
	{ "connectors.*.machines", GAN_T_ENUM, .kinds = GAN_K_PRODSMART, .dflt = "token",
	    .choices = "token|basic", CONNECTOR(prodsmart_basic),
	    .help = "How the operations of machines log in: with the token, or with _api_key_ and "
		    "_api_secret_ as user and password." },
	{ "connectors.*.query_names", GAN_T_NAMED, .kinds = GAN_K_PRODSMART,
	    .max = GAN_CONF_QUERY_NAMES,
	    .help = "Other names for what stands in the query: the vendor's pages translate "
		    "_page_, _workers_, _active_, _product_, _machine_, _worker_, _type_, _lot_, "
		    "_section_ and _supplier_, so that these are a guess. Rules keep to them." },
	{ "connectors.*.query_names.*", GAN_T_TEXT, .kinds = GAN_K_PRODSMART, .min = 1, .max = 64,
	    .help = "What is sent in its place." },
	{ "connectors.*.quota", GAN_T_MAP, .kinds = REACHED,
	    .help = "Requests that the account may make, whoever makes them: deliveries, fetches of "
		    "tokens, feeds, reconciliation, probes. Connectors with the same _base_url_ and "
		    "credentials share it; the strictest counts." },
	{ "connectors.*.quota.per_minute", GAN_T_INT, .kinds = REACHED, .flags = GAN_F_REQUIRED,
	    .min = 1, .max = 100000, CONNECTOR(quota.per_minute), .help = "What the vendor allows." },
	{ "connectors.*.quota.share", GAN_T_PERCENT, .kinds = REACHED, .dflt = "80%", .min = 1,
	    .max = 100, CONNECTOR(quota.share_pct),
	    .help = "The part of it that Gantry uses, rounded down." },
	{ "connectors.*.quota.window", GAN_T_DURATION, .kinds = REACHED, .dflt = "60s",
	    .min = 100 * MS, .max = H, CONNECTOR(quota.window_ms),
	    .help = "The time in which the vendor counts them. In no window of this length, "
		    "wherever it begins, are there more." },
	{ "connectors.*.auth", GAN_T_MAP, .kinds = GAN_K_HTTP,
	    .help = "How to log in: one of basic, bearer, oauth2; and mtls. Without it, not at all." },
	{ "connectors.*.auth.basic", GAN_T_MAP, .kinds = GAN_K_HTTP, .help = "User and password." },
	{ "connectors.*.auth.basic.user", GAN_T_TEXT, .kinds = GAN_K_HTTP, .flags = GAN_F_REQUIRED,
	    .min = 1, .max = 256, CONNECTOR(auth.user),
	    .help = "The user's name, a plain text without a colon." },
	{ "connectors.*.auth.basic.password", GAN_T_SECRET, .kinds = GAN_K_HTTP,
	    .flags = GAN_F_REQUIRED, CONNECTOR(auth.password), .help = "The user's password." },
	{ "connectors.*.auth.bearer", GAN_T_SECRET, .kinds = GAN_K_HTTP, CONNECTOR(auth.bearer),
	    .help = "A static token, sent as Authorization: Bearer." },
	{ "connectors.*.auth.oauth2", GAN_T_MAP, .kinds = GAN_K_HTTP,
	    .help = "OAuth 2 client credentials (RFC 6749, 4.4): one token for all requests, fetched "
		    "and renewed when it is needed." },
	{ "connectors.*.auth.oauth2.token_url", GAN_T_URL, .kinds = GAN_K_HTTP,
	    .flags = GAN_F_REQUIRED | GAN_F_QUERY, CONNECTOR(auth.token_url),
	    .help = "Where tokens are fetched." },
	{ "connectors.*.auth.oauth2.client_id", GAN_T_TEXT, .kinds = GAN_K_HTTP,
	    .flags = GAN_F_REQUIRED, .min = 1, .max = 256, CONNECTOR(auth.client_id),
	    .help = "The client, a plain text." },
	{ "connectors.*.auth.oauth2.client_secret", GAN_T_SECRET, .kinds = GAN_K_HTTP,
	    .flags = GAN_F_REQUIRED, CONNECTOR(auth.client_secret), .help = "Its secret." },
	{ "connectors.*.auth.oauth2.client_auth", GAN_T_ENUM, .kinds = GAN_K_HTTP, .dflt = "basic",
	    .choices = "basic|post", CONNECTOR(auth.client_post),
	    .help = "How the client shows who it is: in the header Authorization (*basic*), or in "
		    "the body of the token request (*post*)." },
	{ "connectors.*.auth.oauth2.scope", GAN_T_TEXT, .kinds = GAN_K_HTTP, .min = 1, .max = 1024,
	    CONNECTOR(auth.scope), .help = "Scopes to ask for, with blanks between them." },
	{ "connectors.*.auth.mtls", GAN_T_MAP, .kinds = GAN_K_HTTP,
	    .help = "A client certificate, beside another way to log in or alone. The files are read "
		    "at start and at reload." },
	{ "connectors.*.auth.mtls.cert", GAN_T_PATH, .kinds = GAN_K_HTTP, .flags = GAN_F_REQUIRED,
	    CONNECTOR(auth.cert), .help = "The certificate, PEM; those that sign it may follow." },
	{ "connectors.*.auth.mtls.key", GAN_T_PATH, .kinds = GAN_K_HTTP, .flags = GAN_F_REQUIRED,
	    CONNECTOR(auth.key),
	    .help = "Its private key, PEM, without a passphrase; not readable by others." },
	{ "connectors.*.headers", GAN_T_NAMED, .kinds = GAN_K_HTTP, .max = GAN_CONF_HEADERS_MAX,
	    .help = "Headers of every request, beside those that Gantry sets itself (_Content-Type_, "
		    "_Accept_, _Authorization_ and those of the connection), which cannot be set." },
	{ "connectors.*.headers.*", GAN_T_TEXT, .kinds = GAN_K_HTTP, .min = 0, .max = 1024,
	    .help = "A header's value; no place for secrets." },
	{ "connectors.*.operations", GAN_T_NAMED, .kinds = DECLARES, .max = 256,
	    .help = "Operations beside the built-in ones; see OPERATIONS. A name has 1 to 64 "
		    "characters of a-z, 0-9, dot and hyphen." },
	{ "connectors.*.operations.*", GAN_T_MAP, .kinds = DECLARES, .help = "One operation." },
	{ "connectors.*.operations.*.method", GAN_T_ENUM, .kinds = DECLARES, .dflt = "POST",
	    .choices = "GET|POST|PUT|PATCH|DELETE", OPERATION(method), .help = "The HTTP method." },
	{ "connectors.*.operations.*.path", GAN_T_TEXT, .kinds = DECLARES, .flags = GAN_F_REQUIRED,
	    .min = 1, .max = 1024, OPERATION(path),
	    .help = "Path behind _base_url_; {name} is filled in by the rule's _$path_." },
	{ "connectors.*.operations.*.required", GAN_T_NAMED, .kinds = DECLARES,
	    .max = GAN_CONF_REQUIRED_MAX,
	    .help = "Members that the body must have. A request without one is not sent: the "
		    "delivery is dead and names it." },
	{ "connectors.*.operations.*.required.*", GAN_T_ENUM, .kinds = DECLARES,
	    .choices = "string|bool|number|numeric|code|any|date|object|strings|objects|gtin|sscc|serial|"
			"lot|element-string|ssccs|serials",
	    .help = "The member's type. *numeric*: a number, or a text that is one; *code*: a text or "
		    "a number; *date*: date, time and zone; *strings*, *objects*: a list of one or "
		    "more. The last seven are texts, and lists of texts of which none stands twice, "
		    "that are checked as _gs1_ says." },
	{ "connectors.*.operations.*.repeat", GAN_T_ENUM, .kinds = DECLARES, .dflt = "hold",
	    .choices = "safe|set|keyed|probe|hold", OPERATION(repeat),
	    .help = "What a repeated request does: nothing more (*safe*), nothing more as long as "
		    "no newer one went to the same object (*set*), is recognised by ids (*keyed*), can be looked up (*probe*), or may do it twice (*hold*). A declared "
		    "operation has nothing to look with: *probe* waits for a person, like *hold*." },
	{ "connectors.*.operations.*.success", GAN_T_MAP, .kinds = DECLARES,
	    .help = "When an answer is a success. Without it: of http any 2xx whose body is empty or "
		    "JSON, of movilitas a 2xx with success: true." },
	{ "connectors.*.operations.*.success.status", GAN_T_LIST, .kinds = DECLARES,
	    .max = GAN_SUCCESS_MAX,
	    .help = "Statuses of a success, any 2xx if none is named. One of 4xx means that it was "
		    "done before: *[2xx, 409]*." },
	{ "connectors.*.operations.*.success.status[]", GAN_T_SCALAR, .kinds = DECLARES,
	    .help = "*2xx*, or a status of 200 to 299 or of 400 to 499 (not 401, 403, 407, 408, 429)." },
	{ "connectors.*.operations.*.success.field", GAN_T_TEXT, .kinds = DECLARES, .min = 1,
	    .max = 256, OPERATION(success.field),
	    .help = "Member of the answer that tells, with dots between names: *result.code*. It must "
		    "be there and not null." },
	{ "connectors.*.operations.*.success.equals", GAN_T_LIST, .kinds = DECLARES,
	    .max = GAN_SUCCESS_MAX,
	    .help = "What _field_ may be: *[0, OK]*. A number is no text, *1* is not *\"1\"*." },
	{ "connectors.*.operations.*.success.equals[]", GAN_T_SCALAR, .kinds = DECLARES,
	    .help = "A text, a number, true or false." },
	{ "connectors.*.tokens", GAN_T_SECRETS, .kinds = GAN_K_PULL,
	    .flags = GAN_F_REQUIRED | GAN_F_STRONG, CONNECTOR(tokens),
	    .help = "Bearer tokens of the system that reads GET /v1/outbox/NAME; two while one "
		    "replaces the other." },

	{ "alerts", GAN_T_LIST, .flags = GAN_F_LATER, .max = 32,
	    .help = "Whom to tell when something needs a person." },
	{ "alerts[]", GAN_T_MAP, .help = "One alert." },
	{ "alerts[].when", GAN_T_TEXT, .flags = GAN_F_REQUIRED, .min = 1, .max = 256,
	    .help = "A condition: *attention > 0*." },
	{ "alerts[].for", GAN_T_DURATION, .dflt = "0", .min = 0, .max = 7 * D,
	    .help = "How long it must hold." },
	{ "alerts[].to", GAN_T_URL, .flags = GAN_F_REQUIRED | GAN_F_QUERY,
	    .help = "URL that is posted to." },

	{ "log", GAN_T_MAP, .help = "What is logged." },
	{ "log.level", GAN_T_ENUM, .dflt = "info", .choices = "error|warning|notice|info|debug",
	    .min = GAN_LOG_ERR, CONF(log_level), .help = "Lines less important than this are left out." },
};
/* clang-format on */

const size_t gan_schema_nrows = GAN_COUNT(gan_schema_rows);
