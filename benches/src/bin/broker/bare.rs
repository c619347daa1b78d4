//! What cannot be left out: a PUBLISH is decoded, and encoded.

use std::hint::black_box;

use mqtt_session::proto::{Decoded, Packet, QoS, Rules, Version, decode};

use crate::run::Work;
use crate::traffic::TOPIC;
use crate::wire;

/// How many packets a pass is.
const PACKETS: usize = 240;

/// Decodes packets of QoS 0, and encodes each again.
pub struct Bare {
    version: Version,
    rules: Rules,
    input: Vec<u8>,
    output: Vec<u8>,
}

impl Bare {
    pub fn new(version: Version) -> Self {
        let publish = wire::publish(version, TOPIC, QoS::AtMostOnce, 1, false);
        Self {
            version,
            rules: Rules::new(version),
            input: publish.repeat(PACKETS),
            output: Vec::new(),
        }
    }
}

impl Work for Bare {
    fn pass(&mut self) {
        self.output.clear();
        let mut rest = black_box(self.input.as_slice());
        while !rest.is_empty() {
            let Ok(Decoded::Packet {
                packet: Packet::Publish(publish),
                len,
            }) = decode(rest, &self.rules)
            else {
                panic!("an encoded packet does not decode")
            };
            let written = black_box(publish).encode_to(self.version, &mut self.output);
            assert!(written.is_ok());
            rest = &rest[len..];
        }
        assert_eq!(black_box(&self.output).len(), self.input.len());
    }

    fn items(&self) -> usize {
        PACKETS
    }
}
