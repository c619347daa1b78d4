//! A client on smol goes through the scenarios of all adapters, against a server on smol.

mod adapter;

use adapter::Smol;
use mqtt_testbed::scenarios;

macro_rules! scenarios {
    ($($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                smol::block_on(scenarios::$name::<Smol>());
            }
        )*
    };
}

mqtt_testbed::every_scenario!(scenarios);

/// Not a test of its own: what the tests of killed clients start and kill.
#[test]
#[ignore = "is started and killed by the tests beside it"]
fn the_process_that_is_killed() {
    smol::block_on(mqtt_testbed::the_process_that_is_killed::<Smol>());
}
