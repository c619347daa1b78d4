//! What a run is made of: everything that is not decided step by step.

use core::time::Duration;

use mqtt_session::proto::Version;
use mqtt_session::{
    Capabilities, CleanStart, ClientConfig, HandOver, Limits, Loss, QoS, Reconnect, ServerConfig, SessionConfig,
    WhenFull,
};

use super::random::Random;
use crate::pair::{LinkConfig, PairConfig, Wrong};

/// A run.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) config: PairConfig,
    pub(super) steps: u64,
    /// How many messages are published at most.
    pub(super) messages: u64,
    /// Faults stop at the end, and everything has to come to rest.
    pub(super) has_to_rest: bool,
    /// How many of a thousand steps are faults.
    pub(super) faults: u64,
    pub(super) server_may_lose: bool,
}

const HAND_OVERS: [HandOver; 3] = [HandOver::Automatic, HandOver::Manual, HandOver::Inbox];

impl Plan {
    pub(super) fn new(random: &mut Random, traces: bool) -> Self {
        let version = random.one_of(&[Version::V5, Version::V5, Version::V3_1_1, Version::V3_1]);
        let mut config = PairConfig::new(client(random, version), server(random));
        if !version.has_properties() {
            // What cannot be announced can only be broken.
            config.server.capabilities = Capabilities::default();
            config.server.session.limits.packet_bytes = 1 << 20;
            config.client.limits.packet_bytes = 1 << 20;
        }
        config.link = link(random);
        config.traces = traces;
        Self {
            config,
            steps: random.within(900..1200),
            messages: random.within(10..100),
            has_to_rest: random.percent(80),
            faults: random.one_of(&[5, 15, 30]),
            // MQTT 3.1 cannot tell a client that its session is gone.
            server_may_lose: version != Version::V3_1,
        }
    }

    /// A run in which a wrong policy shows: both ends have a store, and identifiers are few.
    pub(super) fn of_wrong(random: &mut Random, wrong: Wrong, traces: bool) -> Self {
        let mut plan = Self::new(random, traces);
        let config = &mut plan.config;
        // An answer that comes twice only meets another message if its identifier is used again at once.
        let packet_ids = if wrong == Wrong::AcksDoubled { 1 } else { 2 };
        let limits = Limits::default().packet_ids(packet_ids).receive_maximum(3);
        config.client = new_client().version(Version::V5).is_stored(true).limits(limits);
        config.client.hand_over = random.one_of(&HAND_OVERS);
        config.server = ServerConfig::default();
        config.server.session = SessionConfig::default().is_stored(true).limits(limits);
        config.server.session.hand_over = random.one_of(&HAND_OVERS);
        config.wrong = Some(wrong);
        config.watches_store = false;
        plan.has_to_rest = true;
        plan.server_may_lose = false;
        plan.faults = 40;
        plan
    }

    /// Other bounds for the next life of one end. What stands in a store has to stay within them.
    pub(super) fn change_limits(&self, random: &mut Random, limits: Limits) -> Limits {
        let changed = limits
            .receive_maximum(receive_maximum(random))
            .send_maximum(send_maximum(random));
        match self.config.client.version.has_properties() {
            true => changed.packet_bytes(packet_bytes(random)),
            false => changed,
        }
    }
}

fn new_client() -> ClientConfig {
    let named = ClientConfig::new("simulated");
    #[expect(clippy::expect_used, reason = "the name is fixed and valid")]
    named.expect("the name is valid")
}

fn client(random: &mut Random, version: Version) -> ClientConfig {
    let mut config = new_client()
        .version(version)
        .is_stored(random.percent(60))
        .limits(limits(random));
    config.hand_over = random.one_of(&HAND_OVERS);
    config.reconnect = Reconnect::default().first_delay(Duration::from_millis(random.one_of(&[1, 50, 500])));
    config.seed = random.next();
    config.keep_alive_seconds = random.one_of(&[0, 2, 10, 60]);
    config.session_expiry_seconds = random.one_of(&[0, 3600, 3600, u32::MAX]);
    config.clean_start = if random.percent(10) {
        CleanStart::Always
    } else {
        CleanStart::ByStore
    };
    config.loss = random.one_of(&[
        Loss::RepeatAtLeastOnce,
        Loss::RepeatAtLeastOnce,
        Loss::RepeatAll,
        Loss::EndAll,
    ]);
    config.when_full = random.one_of(&[WhenFull::Refuse, WhenFull::DropOldest]);
    config
}

fn server(random: &mut Random) -> ServerConfig {
    let mut config = ServerConfig::default();
    config.session = SessionConfig::default()
        .is_stored(random.percent(60))
        .limits(limits(random));
    config.session.hand_over = random.one_of(&HAND_OVERS);
    config.session.when_full = random.one_of(&[WhenFull::Refuse, WhenFull::DropOldest]);
    config.keep_alive_seconds_max = random.one_of(&[None, None, Some(5)]);
    if random.percent(20) {
        config.capabilities = capabilities(random);
    }
    config
}

fn capabilities(random: &mut Random) -> Capabilities {
    let mut capabilities = Capabilities::default();
    capabilities.maximum_qos = random.one_of(&[QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce]);
    capabilities.retain = random.percent(50);
    capabilities.wildcards = random.percent(50);
    capabilities
}

fn receive_maximum(random: &mut Random) -> u16 {
    random.one_of(&[1, 1, 2, 3, 20])
}

fn send_maximum(random: &mut Random) -> u16 {
    random.one_of(&[1, 2, 5, 1024])
}

fn packet_bytes(random: &mut Random) -> u32 {
    random.one_of(&[80, 120, 1 << 20, 1 << 20, 1 << 20])
}

fn limits(random: &mut Random) -> Limits {
    Limits::default()
        .receive_maximum(receive_maximum(random))
        .send_maximum(send_maximum(random))
        .packet_bytes(packet_bytes(random))
        .whole_packet_bytes(random.one_of(&[50, 100, u32::MAX, u32::MAX]))
        .packet_ids(random.one_of(&[1, 2, 3, 8, 65_535]))
        .aliases_accepted(random.one_of(&[0, 1, 2, 16]))
        .aliases_used(random.one_of(&[0, 1, 2, 16]))
        .queued_messages(random.one_of(&[3, 8, 64, 4096]))
        .requests(random.one_of(&[1, 3, 32]))
        .events(random.one_of(&[1, 3, 20, 256]))
        .batches(random.one_of(&[1, 3, 64]))
        .inbox_messages(random.one_of(&[1, 3, 1024]))
        .inline_bytes(random.one_of(&[0, 16, 512]))
        .chunk_bytes(random.one_of(&[5, 32, 1 << 16]))
        .timers_per_call(random.one_of(&[1, 2, 64]))
}

fn link(random: &mut Random) -> LinkConfig {
    LinkConfig {
        latency: Duration::from_micros(random.one_of(&[0, 100, 5_000, 50_000])),
        bytes_a_tick: random.one_of(&[1, 20, 10_000]),
        window_bytes: random.one_of(&[20, 100, 1 << 16]),
    }
}
