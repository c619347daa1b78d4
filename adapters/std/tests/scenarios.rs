//! A client on a thread goes through the scenarios of all adapters, against a server on threads.

mod adapter;

use adapter::Std;
use mqtt_testbed::scenarios;

macro_rules! scenarios {
    ($($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                mqtt_std::block_on(scenarios::$name::<Std>());
            }
        )*
    };
}

mqtt_testbed::every_scenario!(scenarios);

/// Not a test of its own: what the tests of killed clients start and kill.
#[test]
#[ignore = "is started and killed by the tests beside it"]
fn the_process_that_is_killed() {
    mqtt_std::block_on(mqtt_testbed::the_process_that_is_killed::<Std>());
}
