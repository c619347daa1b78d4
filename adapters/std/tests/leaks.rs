//! Connections, client and server side, leave nothing behind: no file, no thread, no task, no memory.
//!
//! `MQTT_CONNECTS=10000 cargo test -p mqtt-std --test leaks -- --nocapture` makes many.
#![cfg(target_os = "linux")]

mod adapter;

use adapter::Std;

#[global_allocator]
static HEAP: mqtt_testbed::CountingHeap = mqtt_testbed::CountingHeap;

#[test]
fn connections_leave_nothing_behind() {
    mqtt_testbed::in_own_process("connections_leave_nothing_behind", || {
        // What is a task elsewhere is a thread here.
        mqtt_std::block_on(mqtt_testbed::connections_leave_nothing::<Std>(|| 0));
    });
}
