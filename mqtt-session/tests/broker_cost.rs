//! What routes cost: bytes a subscription, and no allocation for a message.
//!
//! Without an argument it checks both at 100,000 filters, and that unsubscribing costs no more where many do. With numbers it prints memory and time at so many filters each:
//!
//! ```text
//! cargo test --release -p mqtt-session --features broker --test broker_cost -- 10 1000 100000 1000000
//! ```
//!
//! The modules are not public, so they are compiled here once more, next to an allocator that counts.

#![allow(
    dead_code,
    unused_imports,
    unreachable_pub,
    reason = "a part of the crate is used by itself"
)]
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "this measures time")]

extern crate alloc;

#[path = "../src/random.rs"]
mod random;
#[path = "../src/broker/routes/mod.rs"]
mod routes;
#[path = "../src/slab.rs"]
mod slab;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::hint::black_box;

use mqtt_session::QoS;
use mqtt_session::proto::{SubscriptionOptions, TopicFilter, TopicName};
use random::Random;
use routes::{Matches, Overlap, RouteLimits, Routes, Wanted};

struct Counting;

thread_local! {
    static HELD: Cell<usize> = const { Cell::new(0) };
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: everything is passed on to the allocator of the system.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HELD.set(HELD.get().wrapping_add(layout.size()));
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller keeps the contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        HELD.set(HELD.get().wrapping_sub(layout.size()));
        // SAFETY: the caller keeps the contract.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How many bytes a subscription may take, its part of the router and of its session together.
const SUBSCRIPTION_BYTES: usize = 250;

/// How many messages are measured at least.
const MESSAGES: usize = 100_000;

const LIMITS: RouteLimits = RouteLimits {
    filter_levels: 16,
    subscriptions_per_session: u32::MAX,
    subscriptions: u32::MAX,
};

const WANTED: Wanted = Wanted {
    options: SubscriptionOptions::new(QoS::AtLeastOnce),
    identifier: None,
};

/// A filter of 32 bytes and its topic. A third of the filters each is exact, ends in `+` and ends in `#`.
fn filter(number: usize) -> (String, String) {
    let stem = format!("fleet/{:04}/device/{number:08}", number % 1000);
    let topic = format!("{stem}/state");
    let filter = match number % 3 {
        0 => topic.clone(),
        1 => format!("{stem}/+"),
        _ => format!("{stem}/#"),
    };
    (filter, topic)
}

/// Subscriptions to so many filters, one by each session.
fn subscribed(filters: usize) -> Routes {
    let mut routes = Routes::new(LIMITS, 1);
    for number in 0..filters {
        let (filter, _) = filter(number);
        let filter = TopicFilter::new(&filter).unwrap();
        assert_eq!(routes.subscribe(number as u32, &filter, WANTED), Ok(None));
    }
    routes
}

/// The topics of all filters in a random order.
fn topics(filters: usize) -> Vec<TopicName<String>> {
    let mut random = Random::new(7);
    let numbers = (0..filters.min(MESSAGES)).map(|_| random.below(filters as u64) as usize);
    numbers
        .map(|number| TopicName::from_bytes(filter(number).1).unwrap())
        .collect()
}

/// Matches each topic once. Its instructions are counted by
/// `valgrind --tool=callgrind --toggle-collect='*match_all*'`.
#[inline(never)]
fn match_all(routes: &Routes, topics: &[TopicName<String>], matches: &mut Matches) {
    for topic in topics {
        routes.matches(topic, None, Overlap::OneCopy, matches);
        assert_eq!(black_box(&*matches).deliveries().len(), 1);
    }
}

/// The nanoseconds that this thread has run for, whatever else the machine did. 0 where the system does not tell.
fn processor_time() -> usize {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    told.split(' ').next().and_then(|first| first.parse().ok()).unwrap_or(0)
}

fn measure(filters: usize) -> usize {
    let before = HELD.get();
    let start = processor_time();
    let routes = subscribed(filters);
    let subscribing = (processor_time() - start) / filters;
    let bytes = (HELD.get() - before) / filters;

    let topics = topics(filters);
    let mut matches = Matches::new();
    match_all(&routes, &topics, &mut matches);
    let start = processor_time();
    let allocations = ALLOCATIONS.get();
    let rounds = (MESSAGES / topics.len()).max(1);
    for _ in 0..rounds {
        match_all(&routes, &topics, &mut matches);
    }
    assert_eq!(ALLOCATIONS.get(), allocations, "a message allocates");
    let matching = (processor_time() - start) / (rounds * topics.len());
    println!("{filters} filters: {bytes} B and {subscribing} ns a subscription, {matching} ns a message");
    bytes
}

/// The time that one of so many sessions takes to leave the filter that they all have, and one that has as many filters to
/// give one up: nanoseconds for both.
fn unsubscribing(sessions: u32) -> usize {
    let names: Vec<String> = (0..sessions).map(|number| number.to_string()).collect();
    let all = TopicFilter::new("all").unwrap();
    let own = |number: u32| TopicFilter::new(&names[number as usize]).unwrap();
    let mut routes = Routes::new(LIMITS, 1);
    let mut time = 0;
    let rounds = MOST_SHARING / sessions;
    for _ in 0..rounds {
        for number in 0..sessions {
            routes.subscribe(number, &all, WANTED).unwrap();
            routes.subscribe(sessions, &own(number), WANTED).unwrap();
        }
        let start = processor_time();
        // Those in the middle are far from both ends of all lists.
        let middle = sessions / 2;
        for number in (middle..sessions).chain(0..middle) {
            assert!(routes.unsubscribe(number, &all));
            assert!(routes.unsubscribe(sessions, &own(number)));
        }
        time += processor_time() - start;
    }
    time / (rounds * sessions) as usize
}

const MOST_SHARING: u32 = 100_000;

/// A scan would take a hundred times as long with a hundred times as many. Memory that no cache holds takes a few times.
fn check_unsubscribing() {
    let (few, many) = (unsubscribing(MOST_SHARING / 100), unsubscribing(MOST_SHARING));
    println!("unsubscribing: {few} ns among 1,000, {many} ns among 100,000");
    assert!(many <= 20 * few.max(100), "{many} ns, and {few} ns among a hundredth");
}

fn main() {
    let asked: Vec<usize> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    for filters in &asked {
        measure(*filters);
    }
    if asked.is_empty() {
        let bytes = measure(100_000);
        assert!(bytes <= SUBSCRIPTION_BYTES, "{bytes} bytes a subscription");
        check_unsubscribing();
    }
}
