//! The broker beside other brokers: scripts of clients are played at the program `mqtt broker` and at mosquitto, and what the clients
//! hear is compared. Where both differ over a script of MQTT 3.1.1, aedes is the third voice.
//!
//! [`draw`] makes a script of a seed, [`play`] plays it at a server, and [`judge`] compares what was heard. Each difference has to belong to a
//! [class](classes::CLASSES); what the classes mean stands in `tests/data/voices.tsv`.

mod alias;
mod brokers;
pub mod classes;
mod compare;
mod contest;
mod draw;
mod facts;
mod heard;
mod judge;
mod link;
mod play;
mod script;
mod shrink;
mod table;
mod write;

pub use brokers::Running;
pub use compare::{Item, Side, compare};
pub use contest::{Contest, Outcome, Tally};
pub use draw::draw;
pub use facts::{Facts, Known};
pub use heard::{Expiry, Heard, Message};
pub use judge::{Scene, Unclassified, Verdict, judge};
pub use play::{Transcript, Unplayed, play};
pub use script::{Action, Script, Step, name};
pub use shrink::shrink;
pub use table::{Row, Whose, rows};
