//! The keys of the limits: under the names that they have in the broker machine.

use mqtt_adapter::host::TcpKeepAlive;
use mqtt_session::BrokerLimits;

use super::description::{Key, Keys, Section};
use super::settings::Limits;

/// The largest packet that the encoding of its length allows, in every version.
const PACKET_BYTES_MAX: u64 = 268_435_460;

/// What Linux takes as a time of the keep-alive of TCP: 32,767 s.
const TCP_MILLISECONDS_MAX: u64 = 32_767_000;

impl Section for Limits {
    fn describe(&mut self, keys: &mut impl Keys) {
        let about = "How many connections one address has at once, over all listeners and shards: an address of IPv4, or a network \
                     of IPv6 of 64 bits; behind a proxy, what the PROXY protocol says. One more is closed. Unix sockets have no \
                     address. If nothing is said, there is no such bound.";
        let key = Key::new("connections_per_address", about).sample("100").at_least(1);
        keys.key(key, &mut self.connections_per_address);
        let about = "How many clients wait at once for the check of their password, over all listeners and shards. Addresses are \
                     served in turn. One more is told that the broker is busy, or the last one of the address that has most waiting.";
        keys.key(Key::new("logins", about).at_least(1), &mut self.logins);
        let about = "How many of one address do, as for connections_per_address; all unix sockets count as one. One more is told \
                     that the broker is busy.";
        let key = Key::new("logins_per_address", about).at_least(1);
        keys.key(key, &mut self.logins_per_address);
        let about = "When the system asks a client that says nothing over TCP whether it is there. One that does not answer is closed, also \
                     if its own keep-alive is 0. Whole seconds.";
        keys.section("tcp_keep_alive", about, &mut self.tcp_keep_alive);
        let about =
            "Of all clients together, and the rates of each. Of several shards, each has these bounds for itself.";
        keys.section("broker", about, &mut self.broker);
        keys.section("client", "Of one connection and its session.", &mut self.client);
    }
}

impl Section for TcpKeepAlive {
    fn describe(&mut self, keys: &mut impl Keys) {
        let about = "How long nothing has come before it is asked. \"0s\": never.";
        keys.key(Key::new("idle", about).at_most(TCP_MILLISECONDS_MAX), &mut self.idle);
        let about = "How long an answer is waited for before it is asked again.";
        let key = Key::new("interval", about).at_least(1000).at_most(TCP_MILLISECONDS_MAX);
        keys.key(key, &mut self.interval);
        let key = Key::new("probes", "How often it is asked.").at_least(1).at_most(127);
        keys.key(key, &mut self.probes);
    }
}

impl Section for BrokerLimits {
    fn describe(&mut self, keys: &mut impl Keys) {
        self.describe_what_is_held(keys);
        self.describe_rates(keys);
        self.describe_work(keys);
    }
}

/// The keys of a part of a section.
trait BrokerParts {
    fn describe_what_is_held(&mut self, keys: &mut impl Keys);
    fn describe_rates(&mut self, keys: &mut impl Keys);
    fn describe_work(&mut self, keys: &mut impl Keys);
}

impl BrokerParts for BrokerLimits {
    fn describe_what_is_held(&mut self, keys: &mut impl Keys) {
        let key = Key::new(
            "connections",
            "How many connections are open at once. One more is closed.",
        );
        keys.key(key.at_least(1), &mut self.connections);
        let about =
            "How many sessions there are, with and without a connection. A client that would need one more is refused.";
        keys.key(Key::new("sessions", about).at_least(1), &mut self.sessions);
        let key = Key::new(
            "subscriptions",
            "How many subscriptions there are in all. One more is refused.",
        );
        keys.key(key, &mut self.subscriptions);
        let key = Key::new(
            "subscriptions_per_session",
            "How many subscriptions one session has. One more is refused.",
        );
        keys.key(key, &mut self.subscriptions_per_session);
        let about =
            "How many levels a filter has. One with more is refused. A topic of n levels costs at most 2^n look-ups.";
        keys.key(Key::new("filter_levels", about).at_least(1), &mut self.filter_levels);
        let key = Key::new(
            "topic_levels",
            "How many levels a topic has. A message to one with more is refused.",
        );
        keys.key(key.at_least(1), &mut self.topic_levels);
        let about = "How many retained messages there are. One more is delivered and not retained.";
        keys.key(Key::new("retained_messages", about), &mut self.retained_messages);
        let about = "How many bytes the retained messages take, with what they keep in memory beside them. As above.";
        keys.key(Key::new("retained_bytes", about), &mut self.retained_bytes);
        let about = "How many bytes the messages take that wait in all sessions together or are on their way to them, as limits.client.queued_bytes \
                     counts them: what several share counts for each. Further ones are dropped and counted, as if the queue of their session were full.";
        keys.key(Key::new("queued_bytes", about).at_least(1), &mut self.queued_bytes);
    }

    fn describe_rates(&mut self, keys: &mut impl Keys) {
        let about =
            "How many messages a second a client may send in the long run. One that sends more is read more slowly.";
        let key = Key::new("messages_per_second", about).at_least(1).or_unlimited();
        keys.key(key, &mut self.messages_per_second);
        let about = "How many bytes a second a client may send in the long run, of all packets. As above.";
        let key = Key::new("bytes_per_second", about).at_least(1).or_unlimited();
        keys.key(key, &mut self.bytes_per_second);
        let about = "How often in a second a client may come while an earlier connection of it is there, in the long run. \
                     One that comes more often is refused, and the earlier connection goes on.";
        let key = Key::new("takeovers_per_second", about).at_least(1).or_unlimited();
        keys.key(key, &mut self.takeovers_per_second);
        let key = Key::new("burst", "So much time's worth of each may come at once.").at_least(1);
        keys.key(key.at_most(86_400_000), &mut self.burst);
    }

    fn describe_work(&mut self, keys: &mut impl Keys) {
        let about = "How many packets of one connection may wait until it is known whether they are allowed. \
                     At the bound nothing more is read from it.";
        keys.key(
            Key::new("parked_per_connection", about).at_least(1),
            &mut self.parked_per_connection,
        );
        let about = "For how many topics of a connection it is remembered whether it may publish to them.";
        keys.key(Key::new("remembered_topics", about), &mut self.remembered_topics);
        let about = "How many wills wait until it is known whether they are allowed. The oldest is given up.";
        keys.key(Key::new("parked_wills", about).at_least(1), &mut self.parked_wills);
        let about = "How many subscriptions are looked at again at once after rights have changed.";
        keys.key(Key::new("reviews", about).at_least(1), &mut self.reviews);
        let about = "How many events for log and metrics wait. Further ones are counted.";
        keys.key(Key::new("events", about).at_least(1), &mut self.events);
        let about = "How many messages to other shards wait. At the bound nothing more is read from any connection.";
        keys.key(Key::new("peer_messages", about).at_least(1), &mut self.peer_messages);
        let about = "How many retained messages wait in the queue of a session at once, out of those that a subscription asks for.";
        keys.key(Key::new("replay_window", about).at_least(1), &mut self.replay_window);
        let about =
            "How much is done in one go of what has no end of its own, such as looking through retained messages.";
        keys.key(Key::new("steps_per_call", about).at_least(1), &mut self.steps_per_call);
        let key = Key::new("timers_per_call", "How many due timers are looked at in one go.");
        keys.key(key.at_least(1), &mut self.timers_per_call);
    }
}

impl Section for mqtt_session::Limits {
    fn describe(&mut self, keys: &mut impl Keys) {
        self.describe_packets(keys);
        self.describe_queues(keys);
        self.describe_memory(keys);
        self.describe_times(keys);
    }
}

/// As above.
trait ClientParts {
    fn describe_packets(&mut self, keys: &mut impl Keys);
    fn describe_queues(&mut self, keys: &mut impl Keys);
    fn describe_memory(&mut self, keys: &mut impl Keys);
    fn describe_times(&mut self, keys: &mut impl Keys);
}

impl ClientParts for mqtt_session::Limits {
    fn describe_packets(&mut self, keys: &mut impl Keys) {
        let about = "The largest packet that is accepted. A larger one closes the connection.";
        let key = Key::new("packet_bytes", about).at_least(64).at_most(PACKET_BYTES_MAX);
        keys.key(key, &mut self.packet_bytes);
        let about = "The largest CONNECT that is accepted, from somebody who is not known yet.";
        let key = Key::new("connect_bytes", about).at_least(64).at_most(PACKET_BYTES_MAX);
        keys.key(key, &mut self.connect_bytes);
        let about = "How many messages of QoS 1 and 2 a client may have open. MQTT 5.0 clients are told; one more closes the \
                     connection. Older clients cannot be told: they are read more slowly while so many messages wait to be taken, and may \
                     have more exchanges of QoS 2 open, as many as there are packet identifiers.";
        keys.key(
            Key::new("receive_maximum", about).at_least(1),
            &mut self.receive_maximum,
        );
        let about = "How many more than that a client of MQTT 5.0 may have open before its connection is closed, for clients that do not \
                     keep to it.";
        keys.key(Key::new("receive_tolerance", about), &mut self.receive_tolerance);
        let about = "How many messages of QoS 1 and 2 are sent at most before one of them is acknowledged.";
        keys.key(Key::new("send_maximum", about).at_least(1), &mut self.send_maximum);
        let about = "Packet identifiers from 1 up to this are used.";
        keys.key(Key::new("packet_ids", about).at_least(1), &mut self.packet_ids);
        let about = "How many topic aliases a client may use.";
        keys.key(Key::new("aliases_accepted", about), &mut self.aliases_accepted);
        let about = "How many topic aliases are used towards a client, if it allows as many.";
        keys.key(Key::new("aliases_used", about).at_most(64), &mut self.aliases_used);
    }

    fn describe_queues(&mut self, keys: &mut impl Keys) {
        let about =
            "How many messages wait for one session or are on their way to it. Further ones are dropped and counted.";
        keys.key(
            Key::new("queued_messages", about).at_least(1),
            &mut self.queued_messages,
        );
        let about = "How many bytes these messages take. As above.";
        keys.key(Key::new("queued_bytes", about).at_least(1), &mut self.queued_bytes);
        let about = "How many SUBSCRIBE and UNSUBSCRIBE of a client may be unanswered. At the bound nothing more is read from it.";
        keys.key(Key::new("requests", about).at_least(1), &mut self.requests);
        let about = "How many events of one connection wait to be looked at.";
        keys.key(Key::new("events", about).at_least(1), &mut self.events);
        let about = "How many PUBREL and PUBCOMP wait for a client that does not read. One more closes its connection.";
        keys.key(Key::new("replies", about).at_least(1), &mut self.replies);
        let about = "How many bytes of other answers wait for a client that does not read. More close its connection.";
        keys.key(Key::new("reply_bytes", about).at_least(1024), &mut self.reply_bytes);
        let about = "How many groups of records are with the store at once. At the bound nothing more is read.";
        keys.key(Key::new("batches", about).at_least(1), &mut self.batches);
    }

    fn describe_memory(&mut self, keys: &mut impl Keys) {
        let about = "Payloads up to this are copied where they are kept or sent, larger ones are shared.";
        keys.key(Key::new("inline_bytes", about), &mut self.inline_bytes);
        let about = "Small messages are kept together in blocks of this size. 0: each has memory of its own.";
        keys.key(Key::new("pool_bytes", about).at_most(4096), &mut self.pool_bytes);
        let about = "How many due timers of a connection are looked at in one go.";
        keys.key(
            Key::new("timers_per_call", about).at_least(1),
            &mut self.timers_per_call,
        );
    }

    fn describe_times(&mut self, keys: &mut impl Keys) {
        let about =
            "How long a client may take for TLS, WebSocket and CONNECT together. Then its connection is closed.";
        keys.key(
            Key::new("handshake_timeout", about).at_least(1),
            &mut self.handshake_timeout,
        );
        let about = "From the opened connection to an accepted CONNECT, with the time that its password takes. Then it is closed, and \
                     a client that has sent CONNECT is told that the server is not available.";
        keys.key(
            Key::new("admission_timeout", about).at_least(1),
            &mut self.admission_timeout,
        );
        let about = "How long output may wait for a client that does not read. Then its connection is closed.";
        keys.key(Key::new("stall_timeout", about).at_least(1), &mut self.stall_timeout);
        let about = "How long the last bytes of a closed connection may take. Then it is dropped.";
        keys.key(Key::new("linger_timeout", about), &mut self.linger_timeout);
    }
}
