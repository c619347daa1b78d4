//! Valid frames: random packets, encoded by this codec.

use arbitrary::Unstructured;
use mqtt_proto::{Packet, Version};

use crate::random::Random;

/// How many random bytes a packet is made of. It seldom needs more; what it does not get becomes zero.
const SOURCE_BYTES: usize = 2048;

/// One valid frame of this version.
pub(crate) fn frame(version: Version, random: &mut Random) -> Vec<u8> {
    // Short sources make small packets, in which one mutation is a larger part of the whole.
    let len = *random.pick(&[64, 256, SOURCE_BYTES]);
    let source = random.bytes(len);
    let packet = match Packet::arbitrary_in(version, &mut Unstructured::new(&source)) {
        Ok(packet) => packet,
        // The source ran dry where a packet cannot do without it.
        Err(_) => Packet::PingReq,
    };
    let mut frame = Vec::new();
    packet
        .encode_to(version, &mut frame)
        .expect("an arbitrary packet can be encoded in its version");
    frame
}

/// The frames that mutations begin with: a bounded number, replaced one after the other.
#[derive(Debug)]
pub(crate) struct Pool {
    frames: Vec<Vec<u8>>,
    oldest: usize,
}

impl Pool {
    const SIZE: usize = 1024;

    pub(crate) const fn new() -> Self {
        Self {
            frames: Vec::new(),
            oldest: 0,
        }
    }

    pub(crate) fn add(&mut self, frame: Vec<u8>) {
        if self.frames.len() < Self::SIZE {
            self.frames.push(frame);
        } else {
            self.frames[self.oldest] = frame;
            self.oldest = (self.oldest + 1) % Self::SIZE;
        }
    }

    pub(crate) fn any(&self, random: &mut Random) -> &[u8] {
        &self.frames[random.below(self.frames.len())]
    }
}
