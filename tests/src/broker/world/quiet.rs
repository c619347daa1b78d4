//! The end of a simulation, in which no fault keeps a message from whom it is for.

use mqtt_session::QoS;

use super::World;

/// Filters and topics of the end, each of which match another.
const FILTERS: [&str; 4] = ["#", "a/+", "+/b", "a/b"];
const TOPICS: [&str; 2] = ["a/b", "b/b"];
const QOS: [QoS; 2] = [QoS::AtLeastOnce, QoS::ExactlyOnce];
/// So many clients publish, and so many messages each.
const PUBLISHERS: usize = 4;
const MESSAGES: u64 = 3;

impl World {
    /// Everybody subscribes, some publish, some lose their streams; and all that is acknowledged has to arrive.
    pub(super) fn quiet_end(&mut self) -> Result<(), String> {
        self.watch.note(|| "all is quiet".to_owned());
        let there: Vec<usize> = (0..self.peers.len())
            .filter(|index| !self.peers[*index].is_out)
            .collect();
        for &index in &there {
            let (filter, qos) = (self.random.one_of(&FILTERS), self.random.one_of(&QOS));
            self.subscribe_to(index, filter, qos);
        }
        self.watch.step += 1;
        self.rest()?;
        self.watch.step += 1;
        for (place, &index) in there.iter().enumerate() {
            if place < PUBLISHERS {
                for _ in 0..MESSAGES {
                    let (topic, qos) = (self.random.one_of(&TOPICS), self.random.one_of(&QOS));
                    self.send(index, (topic, qos), false, (false, false), false);
                }
            }
            self.exchange(index)?;
            if self.random.percent(40) {
                self.cut_of(index)?;
            }
        }
        self.rest()
    }
}
