//! The topics below `$SYS/broker`, under mosquitto's names.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use mqtt_adapter::host::ShardHandle;
use mqtt_session::Message;

use super::figures;

/// Means over so many minutes.
const SPANS: [(u64, &str); 3] = [(1, "1min"), (5, "5min"), (15, "15min")];

/// What has a load, by the topics of the counters that it follows from.
const RATES: [(&str, &str); 7] = [
    ("messages/received", "messages/received"),
    ("messages/sent", "messages/sent"),
    ("publish/received", "publish/messages/received"),
    ("publish/sent", "publish/messages/sent"),
    ("publish/dropped", "publish/messages/dropped"),
    ("bytes/received", "bytes/received"),
    ("bytes/sent", "bytes/sent"),
];

/// The counters of the rates at one time.
type Counted = [u64; RATES.len()];

/// Publishes what has been counted, now and then.
pub(super) struct Sys {
    interval: Duration,
    next: Instant,
    /// What was counted at earlier times, no more than a quarter of an hour ago.
    earlier: VecDeque<(Instant, Counted)>,
}

impl Sys {
    pub(super) fn new(interval: Duration) -> Self {
        Self {
            interval,
            next: Instant::now(),
            earlier: VecDeque::new(),
        }
    }

    /// From here on so often.
    pub(super) fn set_interval(&mut self, interval: Duration) {
        self.interval = interval;
        self.next = Instant::now();
    }

    /// When to be called again. `None`: never.
    pub(super) fn due(&self) -> Option<Instant> {
        (!self.interval.is_zero()).then_some(self.next)
    }

    /// Publishes if it is time for it, on the first shard: the others get them as any message.
    pub(super) fn publish(&mut self, shards: &[ShardHandle], now: Instant) {
        if self.due().is_none_or(|due| due > now) {
            return;
        }
        self.next = now + self.interval;
        let (Some(sums), Some(first)) = (figures::ask(shards), shards.first()) else {
            return;
        };
        let values = sums.topics();
        let value = |name: &str| {
            let found = values
                .iter()
                .find(|(topic, _)| topic.strip_prefix("$SYS/broker/") == Some(name));
            found.map_or(0, |(_, value)| *value)
        };
        let mut topics: Vec<(String, String)> = values
            .iter()
            .map(|(topic, value)| ((*topic).to_owned(), value.to_string()))
            .collect();
        if let Some((_, uptime)) = topics.iter_mut().find(|(topic, _)| topic.ends_with("/uptime")) {
            uptime.push_str(" seconds");
        }
        topics.push((
            "$SYS/broker/version".to_owned(),
            format!("mqtt version {}", env!("CARGO_PKG_VERSION")),
        ));
        let connected = value("clients/connected");
        let disconnected = value("clients/total").saturating_sub(connected);
        // Two of these have older names too.
        for (name, value) in [
            ("disconnected", disconnected),
            ("inactive", disconnected),
            ("active", connected),
        ] {
            topics.push((format!("$SYS/broker/clients/{name}"), value.to_string()));
        }
        topics.extend(self.loads(now, RATES.map(|(_, name)| value(name))));
        first.run(move |desk| {
            for (topic, value) in topics {
                // Its names are valid, whatever the figures are.
                if let Ok(message) = Message::new(topic, value) {
                    desk.broker.publish(desk.now, message.retain(true));
                }
            }
        });
    }

    fn loads(&mut self, now: Instant, counted: Counted) -> Vec<(String, String)> {
        let kept = Duration::from_secs(15 * 60) + self.interval;
        self.earlier.push_back((now, counted));
        while self
            .earlier
            .front()
            .is_some_and(|(time, _)| now.duration_since(*time) > kept)
        {
            self.earlier.pop_front();
        }
        let mut topics = Vec::new();
        for (minutes, span) in SPANS {
            let from = now.checked_sub(Duration::from_secs(60 * minutes));
            let is_in_it = |(time, _): &&(Instant, Counted)| from.is_none_or(|from| *time >= from);
            let Some((time, then)) = self.earlier.iter().find(is_in_it) else {
                continue;
            };
            let passed = now.duration_since(*time).as_secs_f64() / 60.0;
            for ((name, _), (value, then)) in RATES.iter().zip(counted.iter().zip(then)) {
                let more = value.saturating_sub(*then);
                let per_minute = if passed > 0.0 { more as f64 / passed } else { 0.0 };
                topics.push((format!("$SYS/broker/load/{name}/{span}"), format!("{per_minute:.2}")));
            }
        }
        topics
    }
}
