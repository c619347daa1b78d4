//! The heap: a fixed piece of memory that remembers how much of it was ever needed.

use core::alloc::{GlobalAlloc, Layout};
use core::cell::UnsafeCell;
use core::mem::MaybeUninit;
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicBool, Ordering};

use linked_list_allocator::Heap;

/// How much of an arena was needed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// The most bytes that were held at once.
    pub held: usize,
    /// The end of the highest piece that was ever given out: what the arena must have at least, holes included.
    pub reach: usize,
}

/// `N` bytes that pieces are given out of, the first that fits.
pub struct Arena<const N: usize> {
    memory: Memory<N>,
    is_locked: AtomicBool,
    state: UnsafeCell<State>,
}

#[repr(align(16))]
struct Memory<const N: usize>(UnsafeCell<MaybeUninit<[u8; N]>>);

struct State {
    heap: Heap,
    is_ready: bool,
    marks: Marks,
}

// SAFETY: memory and state are reached through `with` alone, whose lock lets one thread in at a time.
unsafe impl<const N: usize> Sync for Arena<N> {}

impl<const N: usize> Arena<N> {
    /// An empty arena.
    #[must_use]
    #[expect(
        clippy::new_without_default,
        reason = "an arena is a static, which is made by a constant expression"
    )]
    pub const fn new() -> Self {
        Self {
            memory: Memory(UnsafeCell::new(MaybeUninit::uninit())),
            is_locked: AtomicBool::new(false),
            state: UnsafeCell::new(State {
                heap: Heap::empty(),
                is_ready: false,
                marks: Marks { held: 0, reach: 0 },
            }),
        }
    }

    /// How much was needed until this moment.
    #[must_use]
    pub fn marks(&'static self) -> Marks {
        self.with(|state| state.marks)
    }

    /// How many bytes are held.
    #[must_use]
    pub fn held(&'static self) -> usize {
        self.with(|state| state.heap.used())
    }

    /// Forgets what was needed before. Marks say nothing of the time before, so nothing may be held.
    ///
    /// # Panics
    /// If something is held.
    pub fn reset_marks(&'static self) {
        self.with(|state| {
            assert!(state.heap.used() == 0, "something is held");
            state.marks = Marks::default();
        });
    }

    /// Whether this arena gave the piece out.
    #[must_use]
    pub fn contains(&self, piece: *const u8) -> bool {
        let first = self.memory.0.get() as usize;
        (first..first + N).contains(&(piece as usize))
    }

    fn with<R>(&self, act: impl FnOnce(&mut State) -> R) -> R {
        while self.is_locked.swap(true, Ordering::Acquire) {
            core::hint::spin_loop();
        }
        // SAFETY: the lock was free, so nobody else is here; `act` cannot come back here, since nothing that it calls
        // allocates.
        let state = unsafe { &mut *self.state.get() };
        if !state.is_ready {
            state.is_ready = true;
            // SAFETY: an arena is a static (its users ask for one), so the memory lives for ever; it is given away here
            // once.
            unsafe { state.heap.init(self.memory.0.get().cast(), N) };
        }
        let result = act(state);
        self.is_locked.store(false, Ordering::Release);
        result
    }
}

// SAFETY: `Heap` gives out pieces of its memory that do not overlap, as large and as aligned as asked for.
unsafe impl<const N: usize> GlobalAlloc for Arena<N> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.with(|state| {
            let Ok(piece) = state.heap.allocate_first_fit(layout) else {
                return ptr::null_mut();
            };
            let end = piece.as_ptr() as usize + layout.size() - self.memory.0.get() as usize;
            state.marks.held = state.marks.held.max(state.heap.used());
            state.marks.reach = state.marks.reach.max(end);
            piece.as_ptr()
        })
    }

    unsafe fn dealloc(&self, piece: *mut u8, layout: Layout) {
        if let Some(piece) = NonNull::new(piece) {
            // SAFETY: the caller gives back what `alloc` gave out for this layout.
            self.with(|state| unsafe { state.heap.deallocate(piece, layout) });
        }
    }
}
