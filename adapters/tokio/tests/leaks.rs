//! Connections, client and server side, leave nothing behind: no file, no thread, no task, no memory.
//!
//! `MQTT_CONNECTS=10000 cargo test -p mqtt-tokio --test leaks -- --nocapture` makes many.
#![cfg(target_os = "linux")]

mod adapter;

use adapter::Tokio;

#[global_allocator]
static HEAP: mqtt_testbed::CountingHeap = mqtt_testbed::CountingHeap;

#[test]
fn connections_leave_nothing_behind() {
    mqtt_testbed::in_own_process("connections_leave_nothing_behind", || {
        tokio::runtime::Runtime::new().unwrap().block_on(async {
            let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
            mqtt_testbed::connections_leave_nothing::<Tokio>(tasks).await;
        });
    });
}
