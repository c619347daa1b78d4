//! Where two transcripts of one script differ.

use core::fmt;

use super::heard::Heard;
use super::play::Transcript;
use super::script::name;

/// Whose transcript has something that the other one has not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The first.
    Ours,
    /// The second.
    Theirs,
}

/// Something that one of the transcripts has alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Who heard it.
    pub client: usize,
    /// At which server.
    pub side: Side,
    /// What was heard.
    pub heard: Heard,
}

/// What differs in a step: what one transcript has alone, and who heard the same in another order.
#[must_use]
pub fn compare(ours: &Transcript, theirs: &Transcript, step: usize) -> (Vec<Item>, Vec<usize>) {
    let (mut items, mut orders) = (Vec::new(), Vec::new());
    for (client, (ours, theirs)) in ours[step].iter().zip(&theirs[step]).enumerate() {
        let alone = |these: &[Heard], those: &[Heard], side| {
            let mut rest = those.to_vec();
            let mut alone = Vec::new();
            for heard in these {
                match rest.iter().position(|other| other == heard) {
                    Some(place) => drop(rest.swap_remove(place)),
                    None => alone.push(Item {
                        client,
                        side,
                        heard: heard.clone(),
                    }),
                }
            }
            alone
        };
        let before = items.len();
        items.extend(alone(ours, theirs, Side::Ours));
        items.extend(alone(theirs, ours, Side::Theirs));
        if items.len() == before && in_order(ours) != in_order(theirs) {
            orders.push(client);
        }
    }
    (items, orders)
}

/// The messages, sorted but for what has to keep its order: those of one publisher to one topic with one QoS.
fn in_order(heard: &[Heard]) -> Vec<(&str, u8, bool, &str)> {
    let messages = heard.iter().filter_map(Heard::message);
    let mut sorted: Vec<_> = messages
        .map(|message| {
            (
                message.topic.as_str(),
                message.qos,
                message.retain,
                message.payload.as_str(),
            )
        })
        .collect();
    sorted.sort_by_key(|(topic, qos, retain, _)| (*topic, *qos, *retain));
    sorted
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = match self.side {
            Side::Ours => "ours alone",
            Side::Theirs => "theirs alone",
        };
        write!(f, "{side}, {}: {}", name(self.client), self.heard)
    }
}
