//! A heap that puts the device into the arena, and everything else where it would be anyway.

use core::alloc::{GlobalAlloc, Layout};
use core::cell::Cell;
use std::alloc::System;
use std::thread_local;

use crate::{ARENA_BYTES, Arena};

/// The heap of the device. Pointers and lengths are twice as long here as on the controller, and tests load the device
/// more than its program does.
pub static ARENA: Arena<{ 3 * ARENA_BYTES }> = Arena::new();

thread_local! {
    static IS_INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// What `act` allocates comes from the arena.
pub fn inside<R>(act: impl FnOnce() -> R) -> R {
    set(true, act)
}

/// What `act` allocates comes from the system.
pub fn outside<R>(act: impl FnOnce() -> R) -> R {
    set(false, act)
}

fn set<R>(is_inside: bool, act: impl FnOnce() -> R) -> R {
    struct Restore(bool);
    impl Drop for Restore {
        fn drop(&mut self) {
            IS_INSIDE.set(self.0);
        }
    }
    let _restore = Restore(IS_INSIDE.replace(is_inside));
    act()
}

/// The allocator of a host program that has the device in it.
pub struct Gate;

// SAFETY: each piece goes back to the allocator that gave it out, and both keep the contract.
unsafe impl GlobalAlloc for Gate {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps the contract.
        unsafe {
            if IS_INSIDE.get() {
                ARENA.alloc(layout)
            } else {
                System.alloc(layout)
            }
        }
    }

    unsafe fn dealloc(&self, piece: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract.
        unsafe {
            if ARENA.contains(piece) {
                ARENA.dealloc(piece, layout);
            } else {
                System.dealloc(piece, layout);
            }
        }
    }
}
