//! The machines of `mqtt-session` as sequences of operations.
//!
//! An input is read as choices: what the machine is to be, and then one operation after the other. What a target promises
//! is told in `fuzz/README.md`.

mod application;
mod broker;
mod client;
mod connects;
mod disk;
mod draws;
mod ledger;
mod machine;
mod pair;
mod records;
mod rig;
mod server;
mod store;
mod watch;

pub use broker::broker;
pub use client::client;
pub use pair::pair;
pub use records::records;
pub use server::server;
pub use store::store;

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;

    use super::{broker, client, pair, records, server, store};
    use crate::generate::random_bytes;

    /// Random operations, as many as a test run affords.
    const INPUTS: u64 = 400;

    fn passes(name: &str, body: fn(&[u8])) {
        for seed in 0..INPUTS {
            let input = random_bytes(seed, 40 + 3 * usize::try_from(seed % 400).expect("a small number"));
            let passed = catch_unwind(|| body(&input));
            assert!(passed.is_ok(), "{name} fails with seed {seed}");
        }
    }

    #[test]
    fn random_operations_break_no_promise_of_a_broker() {
        passes("broker", broker);
    }

    #[test]
    fn random_operations_break_no_promise_of_a_client() {
        passes("client", client);
    }

    #[test]
    fn random_operations_break_no_promise_of_a_server() {
        passes("server", server);
    }

    #[test]
    fn random_faults_break_no_promise_of_a_pair() {
        passes("pair", pair);
    }

    #[test]
    fn random_records_break_no_promise_of_restoring() {
        passes("records", records);
    }

    #[test]
    fn random_ends_and_damage_break_no_promise_of_a_store() {
        passes("store", store);
    }
}
