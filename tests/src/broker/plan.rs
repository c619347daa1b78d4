//! What a run is to be: it follows from its seed.

use mqtt_session::proto::Version;
use mqtt_session::{Ask, BrokerConfig, BrokerLimits, Limits, Overlap, QoS, ServerConfig, SessionConfig, Shards, Share};

use super::bounds::Bounds;
use super::rates::Rates;
use super::wills::WILL_TOPICS;
use crate::simulation::Random;

/// What a run is to be.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) clients: Vec<Who>,
    pub(super) is_stored: bool,
    pub(super) steps: u64,
    /// Of 1000 steps, so many cut a stream.
    pub(super) cuts: u64,
    /// Of 1000 steps, so many end the broker.
    pub(super) crashes: u64,
    /// Of 1000 steps, so many let time pass.
    pub(super) skips: u64,
    /// The host is asked, and refuses some.
    pub(super) asks: bool,
    /// The host is asked who may connect, and answers later.
    pub(super) has_door: bool,
    /// The host says that a batch is stored when it takes it: a wrong policy that has to be noticed.
    pub(super) lies: bool,
    pub(super) seed: u64,
    pub(super) receive_maximum: u16,
    pub(super) replay_window: u16,
    /// How many machines are the broker together.
    pub(super) shards: u16,
    pub(super) copies_each: bool,
    /// Bounds that are met.
    pub(super) bounds: Bounds,
    /// How fast each client may send.
    pub(super) rates: Option<Rates>,
}

/// One client.
#[derive(Clone, Debug)]
pub(super) struct Who {
    pub(super) version: Version,
    /// Its session outlives its connections.
    pub(super) is_lasting: bool,
    /// For how many seconds, if the version can say so.
    pub(super) expiry_seconds: u32,
    pub(super) will: Option<LastWords>,
    /// It takes no large packets, if its version can say so.
    pub(super) is_small: bool,
    /// It takes few messages at once, if its version can say so, and on each connection as many of these as it says then.
    pub(super) is_narrow: bool,
    pub(super) keep_alive_seconds: u16,
}

/// The will of a client, but for its number.
#[derive(Clone, Copy, Debug)]
pub(super) struct LastWords {
    pub(super) topic: &'static str,
    pub(super) qos: QoS,
    pub(super) is_retained: bool,
    /// If the version can say so.
    pub(super) delay_seconds: u32,
}

impl LastWords {
    fn new(random: &mut Random) -> Self {
        Self {
            topic: random.one_of(&WILL_TOPICS),
            qos: random.one_of(&[QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce]),
            is_retained: random.percent(25),
            delay_seconds: random.one_of(&[0, 0, 2, 40, 9000]),
        }
    }
}

impl Plan {
    pub(super) fn new(random: &mut Random) -> Self {
        let is_stored = random.percent(70);
        let many = random.percent(5);
        let count = if many {
            random.within(10..51)
        } else {
            random.within(2..6)
        };
        let clients = (0..count).map(|_| Who {
            version: random.one_of(&[Version::V5, Version::V5, Version::V3_1_1, Version::V3_1]),
            is_lasting: random.percent(80),
            expiry_seconds: random.one_of(&[20, 3600, 3600, u32::MAX]),
            will: random.percent(60).then(|| LastWords::new(random)),
            is_small: random.percent(15),
            is_narrow: random.percent(30),
            keep_alive_seconds: random.one_of(&[0, 5, 60]),
        });
        let mut plan = Self {
            clients: clients.collect(),
            is_stored,
            steps: random.within(200..900),
            cuts: random.one_of(&[0, 10, 40]),
            crashes: if is_stored { random.one_of(&[0, 4, 15]) } else { 0 },
            skips: random.one_of(&[5, 20, 60]),
            asks: random.percent(35),
            has_door: false,
            lies: false,
            seed: random.next(),
            receive_maximum: random.one_of(&[1, 2, 64]),
            replay_window: random.one_of(&[1, 3, 16]),
            shards: random.one_of(&[1, 1, 3]),
            copies_each: random.percent(20),
            bounds: Bounds::default(),
            rates: None,
        };
        // These follow from a number that other things follow from too: a seed is to stay the run that it was.
        plan.rates = Rates::new(plan.seed);
        plan.has_door = (plan.seed >> 20) % 3 == 0;
        plan.bounds = Bounds::new(plan.seed, plan.clients.len(), plan.shards);
        plan
    }

    pub(super) fn config(&self, life: u64, shard: u16) -> BrokerConfig {
        let limits = Limits::default().receive_maximum(self.receive_maximum);
        let session = self.bounds.limit_session(SessionConfig::default(), limits);
        let client = ServerConfig::default().session(session);
        let ask = Ask {
            connect: self.has_door,
            publish: self.asks,
            subscribe: self.asks,
        };
        let share = [Share::InTurn, Share::Same, Share::Random, Share::ByTopic];
        let share = share[usize::try_from(self.seed % 4).unwrap_or_default()];
        let limits = BrokerLimits::default()
            .replay_window(self.replay_window)
            .steps_per_call(4)
            .reviews(3);
        let limits = self.rates.map_or(limits, |rates| rates.limit(limits));
        let limits = self.bounds.limit(limits);
        BrokerConfig::new(self.seed.wrapping_add(life) ^ u64::from(shard) << 32)
            .shards(Shards::new(shard, self.shards).unwrap_or_default())
            .dollar_topics(true)
            .client(client)
            .ask(ask)
            .share(share)
            .overlap(if self.copies_each {
                Overlap::CopyEach
            } else {
                Overlap::OneCopy
            })
            .is_stored(self.is_stored)
            .limits(limits)
    }
}
