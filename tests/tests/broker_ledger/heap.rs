//! Counts what a piece of code holds of the heap, on its own thread.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    static HELD: Cell<usize> = const { Cell::new(0) };
    static MOST: Cell<usize> = const { Cell::new(0) };
}

/// How many bytes more than at its beginning a piece of code held at most at once.
pub(crate) fn most_held_by(run: impl FnOnce()) -> usize {
    let before = HELD.get();
    MOST.set(before);
    run();
    MOST.get().wrapping_sub(before)
}

struct Counting;

#[global_allocator]
static HEAP: Counting = Counting;

// SAFETY: every call is passed on unchanged to the system's allocator, which keeps the contract; the counters are plain
// thread-local numbers without destructors, so touching them allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HELD.set(HELD.get().wrapping_add(layout.size()));
        // What another thread has taken can be given back here: below nothing there is no most.
        if HELD.get() < usize::MAX / 2 {
            MOST.set(MOST.get().max(HELD.get()));
        }
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        HELD.set(HELD.get().wrapping_sub(layout.size()));
        // SAFETY: the caller keeps the contract of `dealloc`, and all memory is from `System`.
        unsafe { System.dealloc(memory, layout) }
    }
}
