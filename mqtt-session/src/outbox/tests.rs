use alloc::vec;
use alloc::vec::Vec;

use bytes::{Buf, Bytes};

use super::{COMPACT_BYTES, Outbox};
use crate::random::Random;

/// Appends parts, each copied or shared, and returns all bytes in order.
fn fill(outbox: &mut Outbox, parts: &[(bool, &'static [u8])]) -> Vec<u8> {
    let mut all = Vec::new();
    for (shared, bytes) in parts {
        if *shared {
            outbox.share(Bytes::from_static(bytes));
        } else {
            outbox.buffer().extend_from_slice(bytes);
        }
        all.extend_from_slice(bytes);
    }
    all
}

fn drain(outbox: &mut Outbox) -> Vec<u8> {
    let mut written = Vec::new();
    while outbox.has_remaining() {
        let len = outbox.chunk().len();
        assert!(len > 0, "something waits, and nothing is offered");
        written.extend_from_slice(outbox.chunk());
        outbox.advance(len);
    }
    written
}

/// Every row of up to six parts, copied or shared, empty or not.
fn arrangements() -> impl Iterator<Item = Vec<(bool, &'static [u8])>> {
    const TEXTS: [&[u8]; 6] = [b"a", b"bcd", b"ef", b"ghijk", b"l", b"mno"];
    (0..=TEXTS.len()).flat_map(|count| {
        (0..1_usize << count).map(move |kinds| {
            let mut parts: Vec<(bool, &'static [u8])> = Vec::new();
            for (index, text) in TEXTS.iter().take(count).enumerate() {
                parts.push((kinds >> index & 1 == 1, text));
            }
            if count == 3 {
                parts.insert(1, (true, b""));
            }
            parts
        })
    })
}

#[test]
fn bytes_come_in_the_order_they_were_appended_whatever_is_written_at_once() {
    for parts in arrangements() {
        let mut filled = Outbox::default();
        let all = fill(&mut filled, &parts);
        assert_eq!(filled.len(), all.len());
        for first in 0..=all.len() {
            for second in 0..=all.len() - first {
                let mut outbox = filled.clone();
                outbox.advance(first);
                outbox.advance(second);
                assert_eq!(outbox.remaining(), all.len() - first - second);
                assert_eq!(
                    drain(&mut outbox),
                    all[first + second..],
                    "{parts:?} at {first} + {second}"
                );
            }
        }
    }
}

#[test]
fn what_is_appended_after_a_partial_write_comes_last() {
    for parts in arrangements() {
        let mut filled = Outbox::default();
        let mut all = fill(&mut filled, &parts);
        let len = all.len();
        all.extend_from_slice(b"SHARED-copied");
        for taken in 0..=len {
            let mut outbox = filled.clone();
            outbox.advance(taken);
            fill(&mut outbox, &[(true, b"SHARED"), (false, b"-copied")]);
            assert_eq!(drain(&mut outbox), all[taken..], "{parts:?} at {taken}");
        }
    }
}

#[test]
fn chunks_are_the_same_bytes_in_as_few_slices_as_there_are_parts() {
    for parts in arrangements() {
        let mut filled = Outbox::default();
        let all = fill(&mut filled, &parts);
        for taken in 0..=all.len() {
            let mut outbox = filled.clone();
            outbox.advance(taken);
            for room in 0..8 {
                let mut slices = [&b"untouched"[..]; 8];
                let filled = outbox.chunks(&mut slices[..room]);
                let (used, unused) = slices.split_at(filled);
                assert!(used.iter().all(|slice| !slice.is_empty()));
                assert!(unused.iter().all(|slice| *slice == b"untouched"));
                let joined = used.concat();
                assert_eq!(joined, all[taken..][..joined.len()]);
                assert!(
                    filled == room || joined.len() == outbox.len(),
                    "{parts:?} at {taken} in {room}"
                );
                if filled > 0 {
                    assert_eq!(used[0], outbox.chunk());
                }
            }
        }
    }
}

#[test]
fn adjoining_copied_parts_are_one_slice() {
    let mut outbox = Outbox::default();
    fill(
        &mut outbox,
        &[(false, b"head"), (false, b"er"), (true, b"payload"), (false, b"next")],
    );
    let mut slices = [&b""[..]; 8];
    assert_eq!(outbox.chunks(&mut slices), 3);
    assert_eq!(slices[..3], [&b"header"[..], b"payload", b"next"]);
}

#[test]
fn shared_bytes_are_not_copied() {
    let payload = Bytes::from(vec![7; 100]);
    let mut outbox = Outbox::default();
    outbox.share(payload.clone());
    assert_eq!(outbox.chunk().as_ptr(), payload.as_ptr());
    outbox.advance(40);
    assert_eq!(outbox.chunk().as_ptr(), payload[40..].as_ptr());
    outbox.advance(60);
    drop(outbox);
    assert!(payload.is_unique());
}

#[test]
fn written_payloads_are_let_go_of_at_once() {
    let payload = Bytes::from(vec![7; 100]);
    let mut outbox = Outbox::default();
    outbox.share(payload.clone());
    outbox.buffer().push(1);
    outbox.advance(100);
    assert!(payload.is_unique());
    assert_eq!(outbox.chunk(), [1]);
}

#[test]
fn advancing_beyond_the_end_takes_all() {
    let mut outbox = Outbox::default();
    fill(&mut outbox, &[(false, b"abc"), (true, b"def")]);
    outbox.advance(usize::MAX);
    assert!(outbox.is_empty());
    assert_eq!(outbox.chunk(), b"");
    fill(&mut outbox, &[(false, b"ghi")]);
    assert_eq!(drain(&mut outbox), b"ghi");
}

#[test]
fn a_packet_is_started_only_below_the_limit() {
    let mut outbox = Outbox::new(4);
    assert_eq!(outbox.limit_bytes(), 4);
    fill(&mut outbox, &[(false, b"ab"), (true, b"c")]);
    assert!(outbox.has_room());
    fill(&mut outbox, &[(true, b"d")]);
    assert!(!outbox.has_room());
    outbox.advance(1);
    assert!(outbox.has_room());
}

#[test]
fn a_limit_of_zero_still_lets_one_packet_through() {
    let mut outbox = Outbox::new(0);
    assert!(outbox.has_room());
    fill(&mut outbox, &[(false, b"x")]);
    assert!(!outbox.has_room());
}

#[test]
fn clearing_leaves_nothing_of_the_connection_before() {
    let mut outbox = Outbox::default();
    fill(&mut outbox, &[(false, b"old"), (true, b"older"), (false, b"oldest")]);
    outbox.advance(2);
    outbox.clear();
    assert!(outbox.is_empty());
    fill(&mut outbox, &[(true, b"CONNECT"), (false, b"!")]);
    assert_eq!(outbox.len(), 8);
    assert_eq!(drain(&mut outbox), b"CONNECT!");
}

#[test]
fn a_stream_that_is_never_drained_stays_within_bounds_and_in_order() {
    const LIMIT: usize = 16 * 1024;
    let mut random = Random::new(1);
    let mut outbox = Outbox::new(LIMIT);
    let mut bytes = (0_u8..=250).cycle();
    let mut expected = bytes.clone();
    let mut compacted = 0;
    for _ in 0..20_000 {
        while outbox.has_room() {
            let packet: Vec<u8> = bytes.by_ref().take(1 + random.below(300) as usize).collect();
            if random.below(4) == 0 {
                outbox.share(Bytes::from(packet));
            } else {
                outbox.buffer().extend_from_slice(&packet);
            }
        }
        for _ in 0..=random.below(3) {
            // One byte always stays behind.
            let most = outbox.chunk().len().min(outbox.len() - 1);
            let count = most.min(1 + random.below(2000) as usize);
            assert!(
                outbox
                    .chunk()
                    .iter()
                    .copied()
                    .take(count)
                    .eq(expected.by_ref().take(count))
            );
            let before = outbox.copied.len();
            outbox.advance(count);
            compacted += u32::from(outbox.copied.len() < before);
        }
        assert!(outbox.copied.capacity() <= 4 * (LIMIT + 300) + COMPACT_BYTES);
    }
    assert!(compacted > 100, "{compacted}");
}

#[test]
fn a_steady_stream_allocates_nothing() {
    static PAYLOAD: [u8; 500] = [0; 500];
    let mut outbox = Outbox::new(16 * 1024);
    let mut room = None;
    for round in 0..5_000 {
        while outbox.has_room() {
            fill(
                &mut outbox,
                &[(false, b"head of a packet"), (true, &PAYLOAD), (false, &PAYLOAD)],
            );
        }
        outbox.advance(700);
        if round >= 1_000 {
            let now = (
                outbox.copied.as_ptr(),
                outbox.copied.capacity(),
                outbox.shared.capacity(),
            );
            assert_eq!(*room.get_or_insert(now), now, "round {round}");
        }
    }
}

#[test]
fn the_memory_is_kept_and_does_not_grow_when_everything_is_written_each_time() {
    for len in [100, 10_000] {
        let mut outbox = Outbox::default();
        outbox.buffer().extend_from_slice(&vec![0; len]);
        let (memory, room) = (outbox.copied.as_ptr(), outbox.copied.capacity());
        for _ in 0..100 {
            outbox.advance(len);
            outbox.buffer().extend_from_slice(&vec![0; len]);
            assert_eq!((outbox.copied.as_ptr(), outbox.copied.capacity()), (memory, room));
        }
    }
}

#[test]
fn compacting_keeps_the_places_of_shared_parts() {
    let mut outbox = Outbox::default();
    let mut all = Vec::new();
    for _ in 0..40 {
        all.extend(fill(&mut outbox, &[(false, &[b'c'; 300]), (true, b"shared")]));
    }
    let step = 131;
    let mut compacted = false;
    for at in (0..all.len()).step_by(step) {
        assert_eq!(outbox.clone().copy_to_bytes(all.len() - at), all[at..], "at {at}");
        let copied = outbox.copied.len();
        outbox.advance(step);
        compacted |= !outbox.is_empty() && outbox.copied.len() < copied;
    }
    assert!(compacted);
    assert!(outbox.is_empty());
}

#[test]
fn the_debug_form_shows_no_content() {
    let mut outbox = Outbox::default();
    fill(&mut outbox, &[(false, b"password"), (true, b"secret")]);
    let shown = alloc::format!("{outbox:?}");
    assert_eq!(shown, "Outbox { len: 14, shared_bytes: 6, limit_bytes: 65536 }");
}

#[test]
fn an_outbox_that_is_never_quite_drained_stays_small() {
    let mut outbox = Outbox::new(256);
    for _ in 0..1_000 {
        outbox.buffer().extend_from_slice(&[7; 100]);
        let len = outbox.len();
        outbox.advance(len - 1);
    }
    assert!(outbox.buffer().capacity() < 1024, "{}", outbox.buffer().capacity());
}
