//! What has to hold in every state.

use std::fmt;

use mqtt_session::QoS;

use super::world::{Side, World, tag};

impl World {
    pub(super) fn break_(&mut self, what: &str, why: impl fmt::Debug) {
        self.fault.get_or_insert_with(|| format!("{what}: {why:?}"));
    }

    /// The sender was told that its message has arrived: the receiver has it for good.
    pub(super) fn check_arrived(&mut self, sender: Side, tag: u64) {
        let receiver = sender.other() as usize;
        let is_done = self.apps[receiver].effects.values().any(|done| *done == tag);
        let is_kept = self.disks[receiver]
            .inbox_texts()
            .iter()
            .any(|(_, text)| *text == tag.to_string());
        if !is_done && !is_kept {
            self.break_(
                "LOST",
                format!("message {tag} was acknowledged, and its receiver does not have it"),
            );
        }
    }

    pub(super) fn judge(&self) -> Option<String> {
        for sender in Side::BOTH {
            let receiver = &self.apps[sender.other() as usize];
            for (index, qos) in self.messages(sender).iter().enumerate() {
                let tag = tag(sender, index);
                let times = receiver.effects.values().filter(|done| **done == tag).count();
                if *qos == QoS::ExactlyOnce && times > 1 {
                    return Some(format!("DUPLICATE: message {tag} was handed over {times} times"));
                }
                if times > 0 && index >= self.apps[sender as usize].published {
                    return Some(format!("message {tag} arrived before its sender had stored it"));
                }
                let is_over = self.is_over() && index >= self.apps[sender as usize].excused;
                if is_over && times == 0 {
                    return Some(format!("STUCK: message {tag} never arrives"));
                }
                if is_over && !self.apps[sender as usize].ended[index] {
                    return Some(format!("STUCK: message {tag} arrived, and never ends for its sender"));
                }
            }
        }
        None
    }
}
