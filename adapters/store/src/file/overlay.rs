//! A medium that is never written: what is written to it stands in memory, beside it.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Medium;

const PAGE: u64 = 4096;

/// The bytes of a medium with changes that end with this value. A store opens and repairs itself on it as it would on the
/// medium, which stays as it is.
///
/// What is changed takes memory in whole pages: opening a store changes few.
#[derive(Debug)]
pub(super) struct Overlay {
    base: Option<Arc<dyn Medium>>,
    changes: Mutex<Changes>,
}

#[derive(Debug)]
struct Changes {
    len: u64,
    /// Up to here, what is not changed stands in the base; behind it are zeros.
    base_len: u64,
    pages: BTreeMap<u64, Box<[u8]>>,
}

impl Overlay {
    /// Over a medium.
    pub(super) fn new(base: Arc<dyn Medium>) -> io::Result<Self> {
        let len = base.len()?;
        Ok(Self {
            base: Some(base),
            changes: Mutex::new(Changes {
                len,
                base_len: len,
                pages: BTreeMap::new(),
            }),
        })
    }

    /// Over nothing: all of it is in memory.
    pub(super) const fn empty() -> Self {
        Self {
            base: None,
            changes: Mutex::new(Changes {
                len: 0,
                base_len: 0,
                pages: BTreeMap::new(),
            }),
        }
    }

    /// A panic leaves no page half changed that anybody would believe: pages have checksums.
    fn lock(&self) -> MutexGuard<'_, Changes> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What stands from `offset` on, changes aside.
    fn read_base(&self, base_len: u64, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let there = usize::try_from(base_len.saturating_sub(offset)).unwrap_or(usize::MAX);
        let (front, back) = buffer.split_at_mut(there.min(buffer.len()));
        back.fill(0);
        match &self.base {
            Some(base) if !front.is_empty() => base.read(offset, front),
            _ => Ok(()),
        }
    }
}

/// The pieces of these bytes that lie in one page each: the page, where in it, and which of the bytes.
fn pieces(offset: u64, len: usize) -> impl Iterator<Item = (u64, usize, std::ops::Range<usize>)> {
    let mut done = 0_usize;
    std::iter::from_fn(move || {
        if done >= len {
            return None;
        }
        let at = offset.saturating_add(done as u64);
        let within = usize::try_from(at % PAGE).unwrap_or(0);
        let room = (PAGE as usize).saturating_sub(within);
        let end = done.saturating_add(room).min(len);
        let piece = (at / PAGE, within, done..end);
        done = end;
        Some(piece)
    })
}

impl Medium for Overlay {
    fn len(&self) -> io::Result<u64> {
        Ok(self.lock().len)
    }

    fn read(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let changes = self.lock();
        if offset.saturating_add(buffer.len() as u64) > changes.len {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.read_base(changes.base_len, offset, buffer)?;
        for (page, within, range) in pieces(offset, buffer.len()) {
            let Some(changed) = changes.pages.get(&page) else {
                continue;
            };
            let piece = changed.get(within..within.saturating_add(range.len()));
            if let (Some(from), Some(to)) = (piece, buffer.get_mut(range)) {
                to.copy_from_slice(from);
            }
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut changes = self.lock();
        let whole = len / PAGE;
        let cut = changes.pages.split_off(&whole);
        // The page that the end is in keeps what is before the end.
        if let Some((_, mut page)) = cut.into_iter().next().filter(|(page, _)| *page == whole) {
            let within = usize::try_from(len % PAGE).unwrap_or(0);
            if let Some(behind) = page.get_mut(within..) {
                behind.fill(0);
            }
            changes.pages.insert(whole, page);
        }
        changes.base_len = changes.base_len.min(len);
        changes.len = len;
        Ok(())
    }

    fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut changes = self.lock();
        for (page, within, range) in pieces(offset, bytes.len()) {
            if !changes.pages.contains_key(&page) {
                let mut fresh = vec![0; PAGE as usize].into_boxed_slice();
                self.read_base(changes.base_len, page.saturating_mul(PAGE), &mut fresh)?;
                changes.pages.insert(page, fresh);
            }
            let changed = changes.pages.get_mut(&page);
            let changed = changed.and_then(|page| page.get_mut(within..within.saturating_add(range.len())));
            if let (Some(to), Some(from)) = (changed, bytes.get(range)) {
                to.copy_from_slice(from);
            }
        }
        changes.len = changes.len.max(offset.saturating_add(bytes.len() as u64));
        Ok(())
    }

    /// Nothing is to outlive this value.
    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A medium that is only bytes, for the overlay to be compared with.
    #[derive(Debug, Default)]
    struct Plain(Mutex<Vec<u8>>);

    impl Medium for Plain {
        fn len(&self) -> io::Result<u64> {
            Ok(self.0.lock().unwrap().len() as u64)
        }

        fn read(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
            let bytes = self.0.lock().unwrap();
            let piece = bytes.get(offset as usize..offset as usize + buffer.len());
            buffer.copy_from_slice(piece.ok_or(io::ErrorKind::UnexpectedEof)?);
            Ok(())
        }

        fn set_len(&self, len: u64) -> io::Result<()> {
            self.0.lock().unwrap().resize(len as usize, 0);
            Ok(())
        }

        fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
            let mut all = self.0.lock().unwrap();
            let end = offset as usize + bytes.len();
            if all.len() < end {
                all.resize(end, 0);
            }
            all[offset as usize..end].copy_from_slice(bytes);
            Ok(())
        }

        fn sync(&self) -> io::Result<()> {
            Ok(())
        }
    }

    fn all(medium: &dyn Medium) -> Vec<u8> {
        let mut bytes = vec![0; medium.len().unwrap() as usize];
        medium.read(0, &mut bytes).unwrap();
        bytes
    }

    #[test]
    fn it_is_like_the_medium_and_the_medium_stays_as_it_is() {
        let mut seed = 1_u64;
        let mut random = |below: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 33) % below
        };
        for _ in 0..200 {
            let original: Vec<u8> = (0..random(20_000)).map(|at| at as u8).collect();
            let base = Arc::new(Plain(Mutex::new(original.clone())));
            let same = Plain(Mutex::new(original.clone()));
            let overlay = Overlay::new(base.clone()).unwrap();
            for _ in 0..20 {
                let at = random(24_000);
                if random(4) == 0 {
                    overlay.set_len(at).unwrap();
                    same.set_len(at).unwrap();
                } else {
                    let bytes = vec![random(256) as u8; random(9_000) as usize];
                    overlay.write(at, &bytes).unwrap();
                    same.write(at, &bytes).unwrap();
                }
                assert!(all(&overlay) == all(&same));
                let mut piece = vec![0; random(5_000) as usize];
                let mut expected = piece.clone();
                let read = overlay.read(at, &mut piece).is_ok();
                assert_eq!(read, same.read(at, &mut expected).is_ok());
                assert!(!read || piece == expected);
            }
            assert!(all(&*base) == original);
        }
    }

    #[test]
    fn one_over_nothing_keeps_what_it_is_given() {
        let overlay = Overlay::empty();
        overlay.write(5_000, b"abc").unwrap();
        let bytes = all(&overlay);
        assert!(bytes.len() == 5_003 && bytes[..5_000].iter().all(|byte| *byte == 0) && bytes.ends_with(b"abc"));
    }
}
