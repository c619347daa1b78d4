//! All codecs on one stream: what was measured, and against what.

use mqtt_benches::rounds::{self, Effort, Spread};

use crate::peers::{self, Maker};
use crate::run::{Row, Run};
use crate::stream::Stream;
use crate::verify::Form;

/// What is measured on a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Bytes to packets.
    Decode,
    /// Packets to bytes.
    Encode,
}

impl Direction {
    /// Both, in the order of the table.
    pub const ALL: [Self; 2] = [Self::Decode, Self::Encode];

    /// Its name on the command line.
    pub fn slug(self) -> &'static str {
        match self {
            Self::Decode => "decode",
            Self::Encode => "encode",
        }
    }

    /// What makes the runs of `stream` in this direction, ours first.
    pub fn makers(self, stream: &Stream) -> Vec<(Row, Maker)> {
        match self {
            Self::Decode => peers::decoders(stream.protocol),
            Self::Encode => peers::encoders(stream),
        }
    }
}

/// What was measured for one codec on one stream.
#[derive(Clone, Debug)]
pub struct Cell {
    pub row: Row,
    /// Nanoseconds a packet.
    pub time: Spread,
    /// How many times as long as [`Cell::baseline`] it took, from the turns
    /// that the two took with each other. None for the baseline itself.
    pub ratio: Option<Spread>,
    /// How many packets a pass is.
    pub packets: usize,
    /// What the ratio is against.
    pub baseline: Row,
    /// Allocations a packet.
    pub allocations: f64,
    /// Instructions a packet, where callgrind ran.
    pub instructions: Option<f64>,
    /// How an encoder's bytes compare with the stream.
    pub form: Option<Form>,
}

/// Measures all `runs`.
pub fn measure(runs: &mut [Run], effort: Effort) -> Vec<Cell> {
    let baselines: Vec<usize> = runs.iter().map(|run| baseline(runs, run.row)).collect();
    let timings = rounds::compare(runs, &baselines, effort);
    runs.iter()
        .zip(timings)
        .zip(baselines)
        .map(|((run, timing), baseline)| Cell {
            row: run.row,
            packets: run.packets,
            time: timing.time,
            ratio: timing.ratio,
            baseline: runs[baseline].row,
            allocations: timing.allocations,
            instructions: None,
            form: None,
        })
        .collect()
}

/// Slices are held against our slices where we have them, all else against our
/// first row.
fn baseline(runs: &[Run], row: Row) -> usize {
    let parts = runs.iter().position(|run| run.row == Row::OursParts);
    match parts {
        Some(parts) if row == Row::ProtocolCoreSlices => parts,
        _ => 0,
    }
}
