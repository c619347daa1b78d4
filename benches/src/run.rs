//! One codec at work on one stream: what is prepared before the clock starts,
//! and what is measured.

use std::hint::black_box;

use mqtt_benches::rounds::Contender;

use crate::stream::Stream;

/// What the rows of the table are called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Row {
    /// Our borrowed view, or our encoder into a slice.
    Ours,
    /// Our owned form, sliced from the receive buffer.
    OursOwned,
    /// Our encoder into a growable buffer.
    OursBuffer,
    /// Our PUBLISH in parts that share topic, properties and payload.
    OursParts,
    Rumqttc,
    Mqttbytes,
    ProtocolCore,
    /// mqtt-protocol-core's list of slices.
    ProtocolCoreSlices,
    Akasamq,
    Mqttrs,
    Ntex,
    /// Reads type and length of each packet and jumps over the rest.
    Skip,
    /// Copies the stream.
    Memcpy,
}

impl Row {
    /// All rows, in the order of the table.
    pub const ALL: [Self; 13] = [
        Self::Ours,
        Self::OursOwned,
        Self::OursBuffer,
        Self::OursParts,
        Self::Rumqttc,
        Self::Mqttbytes,
        Self::ProtocolCore,
        Self::ProtocolCoreSlices,
        Self::Akasamq,
        Self::Mqttrs,
        Self::Ntex,
        Self::Skip,
        Self::Memcpy,
    ];

    /// Its name on the command line.
    pub fn slug(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::OursOwned => "ours-owned",
            Self::OursBuffer => "ours-buffer",
            Self::OursParts => "ours-parts",
            Self::Rumqttc => "rumqttc",
            Self::Mqttbytes => "mqttbytes",
            Self::ProtocolCore => "mqtt-protocol-core",
            Self::ProtocolCoreSlices => "mqtt-protocol-core-slices",
            Self::Akasamq => "mqtt-proto",
            Self::Mqttrs => "mqttrs",
            Self::Ntex => "ntex-mqtt",
            Self::Skip => "skip",
            Self::Memcpy => "memcpy",
        }
    }

    /// Whether the row is this project's codec.
    pub fn is_ours(self) -> bool {
        matches!(self, Self::Ours | Self::OursOwned | Self::OursBuffer | Self::OursParts)
    }

    /// Whether the row is a floor and no codec.
    pub fn is_floor(self) -> bool {
        matches!(self, Self::Skip | Self::Memcpy)
    }

    /// Whether the row hands out slices instead of one contiguous packet.
    pub fn is_slices(self) -> bool {
        matches!(self, Self::OursParts | Self::ProtocolCoreSlices)
    }
}

/// One codec at work on one stream.
pub struct Run {
    /// Who works.
    pub row: Row,
    /// How many packets a pass is.
    pub packets: usize,
    repeats: usize,
    work: Box<dyn Work>,
}

impl Run {
    /// A run that decodes: a pass is once through the stream and returns the
    /// checksum. `prepare` brings `state` back to where a pass starts.
    pub fn decoder<S: 'static>(
        row: Row,
        stream: &Stream,
        state: S,
        prepare: impl Fn(&mut S) + 'static,
        pass: impl Fn(&mut S) -> u64 + 'static,
    ) -> Self {
        let written = |_: &S| Vec::new();
        Self {
            row,
            packets: stream.packets.len(),
            repeats: 1,
            work: Box::new(Stage {
                state,
                prepare,
                pass,
                written,
            }),
        }
    }

    /// A run that encodes: `pass` is once through [`Stream::sources`] and
    /// returns the number of bytes; it is repeated for as many packets as the
    /// stream holds. `written` gives what one time through the sources makes.
    pub fn encoder<S: 'static>(
        row: Row,
        stream: &Stream,
        state: S,
        prepare: impl Fn(&mut S) + 'static,
        pass: impl Fn(&mut S) -> u64 + 'static,
        written: impl Fn(&S) -> Vec<u8> + 'static,
    ) -> Self {
        let sources = stream.sources().len();
        let repeats = stream.packets.len() / sources;
        Self {
            row,
            packets: sources * repeats,
            repeats,
            work: Box::new(Stage {
                state,
                prepare,
                pass,
                written,
            }),
        }
    }

    /// The same with one time through the sources as a pass, for a codec that
    /// consumes what it is given.
    pub fn once(mut self) -> Self {
        self.packets /= self.repeats;
        self.repeats = 1;
        self
    }

    /// Brings the state back to where a pass starts.
    pub fn prepare(&mut self) {
        self.work.prepare();
    }

    /// One pass.
    pub fn pass(&mut self) -> u64 {
        black_box(measured_pass(black_box(&mut *self.work), black_box(self.repeats)))
    }

    /// What an encoder makes of the sources, and how often a pass makes it.
    pub fn written(&self) -> (Vec<u8>, usize) {
        (self.work.written(), self.repeats)
    }
}

impl Contender for Run {
    fn prepare(&mut self) {
        self.prepare();
    }

    fn pass(&mut self) {
        self.pass();
    }

    fn items(&self) -> usize {
        self.packets
    }
}

/// The function that callgrind collects in, found by this name.
#[inline(never)]
fn measured_pass(work: &mut dyn Work, repeats: usize) -> u64 {
    (0..repeats).fold(0, |sum, _| sum + work.pass())
}

trait Work {
    fn prepare(&mut self);
    fn pass(&mut self) -> u64;
    fn written(&self) -> Vec<u8>;
}

struct Stage<S, Prepare, Pass, Written> {
    state: S,
    prepare: Prepare,
    pass: Pass,
    written: Written,
}

impl<S, Prepare, Pass, Written> Work for Stage<S, Prepare, Pass, Written>
where
    Prepare: Fn(&mut S),
    Pass: Fn(&mut S) -> u64,
    Written: Fn(&S) -> Vec<u8>,
{
    fn prepare(&mut self) {
        (self.prepare)(&mut self.state);
    }

    fn pass(&mut self) -> u64 {
        (self.pass)(&mut self.state)
    }

    fn written(&self) -> Vec<u8> {
        (self.written)(&self.state)
    }
}
