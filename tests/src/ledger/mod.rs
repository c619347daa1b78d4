//! The ledger: which statement of the specification is covered by which test.
//!
//! The rows are the tables in `data/`. An id is qualified by its table:
//!
//! | id | table |
//! |---|---|
//! | `v5:MQTT-1.5.4-1` | the numbered statements of MQTT 5.0 |
//! | `v311:MQTT-1.5.3-1` | the numbered statements of MQTT 3.1.1 |
//! | `u5:U5-1.5.4-a` | rules of MQTT 5.0 that carry no number, under ids of our own |
//! | `BI-001` | faults that other MQTT software had on bad input |
//! | `RG-01` | faults that other MQTT engines had |
//!
//! A row counts as covered only if a [`Trial`] calls [`covers`] while it runs, and passes. So the call stands next to the
//! assertion that it speaks of, and code that is never reached covers nothing. A trial stands on a [`Layer`] and covers
//! rows of that layer only: that a codec refuses Packet Identifier 0 does not show that a client picks unused ones.
//!
//! Each layer has a test binary of its own. After a whole run of it [`Ledger::audit`] finds the rows of its layer that no
//! trial covered, and the trials that claim more rows than one test can show: either fails the run. [`Ledger::matrix`] prints the same knowledge as Markdown, and [`Ledger::conformance`] that of all layers,
//! from the [lines](Ledger::lines) of each run.

mod audit;
mod matrix;
mod table;
#[cfg(test)]
mod tests;
mod trial;

pub use audit::Audit;
pub use table::{Layer, Row, Table, row, rows};
pub use trial::{Ledger, Trial, covers};

/// How many rows one trial may cover. A trial that names more shows none of them well.
pub const ROWS_PER_TRIAL: usize = 5;

/// Rows that no test can show, with the reason. Only for layer `application` and for rows that merely permit something.
pub const NOT_TESTABLE: &[(&str, &str)] = &[
    (
        "v311:MQTT-7.0.0-1",
        "states what a product has to conform to that plays both roles; the rows of both roles are tested",
    ),
    (
        "v311:MQTT-7.0.0-2",
        "states that no extension is required; there is none to leave out",
    ),
    (
        "u5:U5-3.3.2-e",
        "permits an application to check its payload; the library hands payloads over as bytes",
    ),
];
