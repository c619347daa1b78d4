//! The keys of every section but the limits.

use super::description::{Key, Keys, Section};
use super::settings::{Config, Listener, Log, Metrics, Persistence, Protocol, Rights, Rule, Tls, WebSocket};

impl Section for Config {
    fn describe(&mut self, keys: &mut impl Keys) {
        let key = Key::new(
            "shards",
            "How many threads serve connections, each with its own part of the sessions.",
        );
        keys.key(key.at_least(1).at_most(256), &mut self.shards);
        let key = Key::new(
            "control",
            "The unix socket for `mqtt ctl`. Whoever may open it rules the broker.",
        );
        keys.key(key.sample("\"/run/mqtt/control.sock\""), &mut self.control);
        let key = Key::new(
            "sys_interval",
            "How often the topics below $SYS are published. \"0s\": never.",
        );
        keys.key(key, &mut self.sys_interval);
        let about = "Password files, made with `mqtt passwd`; those of mosquitto are read too. \
                     Of two lines about a user the last counts.";
        keys.key(Key::new("users", about), &mut self.users);
        let about = "Where clients come in. There can be several of these sections; if there is one, nothing else is listened on.";
        keys.sections("listener", about, &mut self.listeners);
        let about = "Who may publish and subscribe to what. With no file and no rule everybody may do everything, \
                     except to publish below $SYS. With one, what is not allowed is refused.";
        keys.section("rights", about, &mut self.rights);
        keys.section(
            "persistence",
            "Where sessions and retained messages are kept.",
            &mut self.persistence,
        );
        keys.section(
            "protocol",
            "The choices that the specification leaves to a server.",
            &mut self.protocol,
        );
        keys.section("log", "What is written to standard error.", &mut self.log);
        let about =
            "Metrics for Prometheus at /metrics and health at /health, over HTTP. Without this section there are none.";
        keys.optional("metrics", about, &mut self.metrics);
        keys.section("limits", "Every bound of the broker.", &mut self.limits);
    }
}

impl Section for Listener {
    fn describe(&mut self, keys: &mut impl Keys) {
        let about = "IP address and port: \"127.0.0.1:1883\", \"[::1]:1883\"; \"0.0.0.0:1883\" and \"[::]:1883\" for every \
                     network of this machine; \"unix:/run/mqtt.sock\" for a unix socket.";
        keys.key(
            Key::new("address", about).sample("\"127.0.0.1:1883\"").required(),
            &mut self.address,
        );
        let about = "Whether clients may come without a user name. If nothing is said, they may on loopback and on unix sockets, \
                     unless the PROXY protocol brings them from elsewhere.";
        keys.key(Key::new("anonymous", about).sample("true"), &mut self.anonymous);
        let about = "How many connections it holds at once. If nothing is said, only limits.broker.connections counts.";
        keys.key(
            Key::new("max_connections", about).sample("1000").at_least(1),
            &mut self.max_connections,
        );
        let about = "Whether each connection begins with a header of the PROXY protocol, version 1 or 2. \
                     Say yes only if nobody but the proxy gets to this address: the header is believed.";
        keys.key(Key::new("proxy_protocol", about), &mut self.proxy_protocol);
        keys.optional(
            "tls",
            "TLS 1.2 and 1.3. Without this section the listener is plain.",
            &mut self.tls,
        );
        let about = "MQTT over WebSocket. Without this section the listener speaks MQTT alone.";
        keys.optional("websocket", about, &mut self.websocket);
    }
}

impl Section for Tls {
    fn describe(&mut self, keys: &mut impl Keys) {
        let about = "The certificate in PEM, followed by those between it and its root.";
        let key = Key::new("certificate", about).sample("\"server.pem\"").required();
        keys.key(key, &mut self.certificate);
        let key = Key::new("key", "The key of the certificate in PEM.")
            .sample("\"server.key\"")
            .required();
        keys.key(key, &mut self.key);
        let about =
            "The certificates in PEM that sign those of clients. If nothing is said, clients are not asked for one.";
        keys.key(
            Key::new("client_ca", about).sample("\"clients-ca.pem\""),
            &mut self.client_ca,
        );
        let about = "Revocation lists in PEM for the certificates of clients.";
        let key = Key::new("revocation_lists", about).sample("[\"revoked.pem\"]");
        keys.key(key, &mut self.revocation_lists);
        let about = "Whether a client has to have a certificate that client_ca signed.";
        let key = Key::new("require_client_certificate", about).sample("true");
        keys.key(key, &mut self.require_client_certificate);
        let about = "Whether a part of the certificate is the user name, and no password is asked for: \"no\", \"common-name\" \
                     or \"subject\".";
        let key = Key::new("user_from_certificate", about).sample("\"common-name\"");
        keys.key(key, &mut self.user_from_certificate);
    }
}

impl Section for WebSocket {
    fn describe(&mut self, keys: &mut impl Keys) {
        keys.key(Key::new("path", "The path that clients ask for."), &mut self.path);
    }
}

impl Section for Rights {
    fn describe(&mut self, keys: &mut impl Keys) {
        keys.key(
            Key::new("files", "Files in the syntax of mosquitto's acl_file."),
            &mut self.files,
        );
        keys.sections(
            "rule",
            "A rule; there can be several. They follow those of the files.",
            &mut self.rules,
        );
    }
}

impl Section for Rule {
    fn describe(&mut self, keys: &mut impl Keys) {
        let about = "For these users. Without users and anonymous it is for everybody, and %c and %u in its filters stand for \
                     the client's id and its user name.";
        keys.key(Key::new("users", about).sample("[\"alice\", \"bob\"]"), &mut self.users);
        let about = "For those without a user name.";
        keys.key(Key::new("anonymous", about).sample("true"), &mut self.anonymous);
        let about = "\"read\" (to receive), \"write\" (to publish), \"readwrite\", or \"deny\", which goes before what else is \
                     allowed to the same users.";
        keys.key(Key::new("access", about).sample("\"read\""), &mut self.access);
        let key = Key::new("filters", "The topics.").sample("[\"news/#\"]").required();
        keys.key(key, &mut self.filters);
    }
}

impl Section for Persistence {
    fn describe(&mut self, keys: &mut impl Keys) {
        let about = "The file for sessions and retained messages, of all shards together. \
                     If nothing is said, they are kept in memory and nothing outlives the broker.";
        keys.key(
            Key::new("path", about).sample("\"/var/lib/mqtt/broker.store\""),
            &mut self.path,
        );
        let about = "What an acknowledged message survives: \"sync\" (kill -9 and loss of power), \"os\" (kill -9), \"none\". \
                     If nothing is said, \"sync\".";
        let key = Key::new("durability", about).sample("\"sync\"");
        keys.key(key, &mut self.durability);
        let about = "A will that a restart found waiting is published this much after it at the earliest: its client may \
                     come back before.";
        keys.key(Key::new("restart_grace", about), &mut self.restart_grace);
    }
}

impl Section for Protocol {
    fn describe(&mut self, keys: &mut impl Keys) {
        let capabilities = &mut self.capabilities;
        keys.key(
            Key::new("maximum_qos", "The highest QoS of a message from a client."),
            &mut capabilities.maximum_qos,
        );
        keys.key(
            Key::new("retain", "Whether there are retained messages."),
            &mut capabilities.retain,
        );
        keys.key(
            Key::new("wildcards", "Whether filters may have wildcards."),
            &mut capabilities.wildcards,
        );
        keys.key(
            Key::new("shared", "Whether there are shared subscriptions."),
            &mut capabilities.shared,
        );
        let key = Key::new("subscription_ids", "Whether there are subscription identifiers.");
        keys.key(key, &mut capabilities.subscription_ids);
        let about = "The longest keep-alive in seconds. Clients of MQTT 5.0 are told; those of MQTT 3 cannot be, and are refused if they \
                     ask for a longer one, or for none. If nothing is said: any, and none at all.";
        let key = Key::new("keep_alive_seconds_max", about).sample("3600").at_least(1);
        keys.key(key, &mut self.keep_alive_seconds_max);
        let about = "How long a session may outlive its connection, in seconds. If nothing is said: as long as its client wants.";
        let key = Key::new("session_expiry_seconds_max", about).sample("604800");
        keys.key(key, &mut self.session_expiry_seconds_max);
        let about = "What a client gets that several of its subscriptions match: \"one-copy\", or a \"copy-each\".";
        keys.key(Key::new("overlap", about), &mut self.overlap);
        let about = "Which member of a shared subscription gets a message: \"in-turn\", the \"same\" as before, a \"random\" one, \
                     or always the same one for a topic (\"by-topic\").";
        keys.key(Key::new("share", about), &mut self.share);
        let about =
            "Whether clients may publish to topics that begin with $; rights still count, and $SYS stays the broker's.";
        keys.key(Key::new("dollar_topics", about), &mut self.dollar_topics);
        let about = "Whether topics and other text may hold control characters, which other clients may choke on.";
        keys.key(Key::new("control_characters", about), &mut self.control_characters);
    }
}

impl Section for Log {
    fn describe(&mut self, keys: &mut impl Keys) {
        let about = "The least important that is written: \"error\", \"warn\", \"info\" or \"debug\" (also ends of sessions, \
                     and streams that break).";
        keys.key(Key::new("level", about), &mut self.level);
        keys.key(Key::new("json", "Whether each line is a JSON object."), &mut self.json);
    }
}

impl Section for Metrics {
    fn describe(&mut self, keys: &mut impl Keys) {
        let about = "IP address and port. Whoever gets there can read it.";
        keys.key(Key::new("address", about).required(), &mut self.address);
    }
}
