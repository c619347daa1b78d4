//! A client on tokio goes through the scenarios of all adapters, against a server on tokio.

mod adapter;

use adapter::Tokio;
use mqtt_testbed::scenarios;

macro_rules! scenarios {
    ($($name:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                scenarios::$name::<Tokio>().await;
            }
        )*
    };
}

mqtt_testbed::every_scenario!(scenarios);

/// Not a test of its own: what the tests of killed clients start and kill.
#[tokio::test]
#[ignore = "is started and killed by the tests beside it"]
async fn the_process_that_is_killed() {
    mqtt_testbed::the_process_that_is_killed::<Tokio>().await;
}
