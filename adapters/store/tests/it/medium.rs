//! Media in memory, one of which loses power.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use mqtt_store::Medium;

use crate::model::Random;

/// What the operating system has been told since the last flush.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    Write(u64, Vec<u8>),
    SetLen(u64),
}

impl Change {
    pub(crate) fn apply(&self, image: &mut Vec<u8>) {
        match self {
            Self::Write(offset, bytes) => write(image, *offset, bytes),
            Self::SetLen(len) => image.resize(*len as usize, 0),
        }
    }
}

fn write(image: &mut Vec<u8>, offset: u64, bytes: &[u8]) {
    let start = offset as usize;
    let end = start + bytes.len();
    if image.len() < end {
        image.resize(end, 0);
    }
    image[start..end].copy_from_slice(bytes);
}

/// What may go wrong with a medium.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A write finds no room.
    Full,
    /// A write fails.
    Write,
    /// A flush fails.
    Flush,
}

#[derive(Debug, Default)]
struct State {
    /// What is on the medium.
    durable: Vec<u8>,
    /// What is on it or on its way.
    seen: Vec<u8>,
    since: Vec<Change>,
    lies: bool,
    fault: Option<(Fault, u32)>,
    syncs: u64,
}

/// A moment at which power may be lost.
#[derive(Clone, Debug)]
pub(crate) struct Moment {
    pub(crate) durable: Vec<u8>,
    pub(crate) since: Vec<Change>,
}

type Watcher = Box<dyn FnMut(&Moment, bool) + Send>;

/// A medium in memory that keeps apart what was flushed and what was not. Clones are the same medium.
#[derive(Clone, Default)]
pub(crate) struct Disk {
    state: Arc<Mutex<State>>,
    /// Called before each write and each flush, with whether it is a flush.
    watcher: Arc<Mutex<Option<Watcher>>>,
}

impl std::fmt::Debug for Disk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Disk").finish_non_exhaustive()
    }
}

impl Disk {
    pub(crate) fn new(image: Vec<u8>) -> Self {
        let disk = Self::default();
        disk.lock().durable = image.clone();
        disk.lock().seen = image;
        disk
    }

    /// A disk whose flush does nothing, and says that all is well.
    pub(crate) fn that_lies() -> Self {
        let disk = Self::default();
        disk.lock().lies = true;
        disk
    }

    pub(crate) fn watched(self, watcher: impl FnMut(&Moment, bool) + Send + 'static) -> Self {
        *self.watcher.lock().unwrap() = Some(Box::new(watcher));
        self
    }

    /// The call of this kind fails after so many that do not.
    pub(crate) fn fail(&self, fault: Fault, after: u32) {
        self.lock().fault = Some((fault, after));
    }

    pub(crate) fn image(&self) -> Vec<u8> {
        self.lock().seen.clone()
    }

    pub(crate) fn syncs(&self) -> u64 {
        self.lock().syncs
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn watch(&self, is_sync: bool) {
        if let Some(watcher) = &mut *self.watcher.lock().unwrap() {
            let moment = {
                let state = self.lock();
                Moment {
                    durable: state.durable.clone(),
                    since: state.since.clone(),
                }
            };
            watcher(&moment, is_sync);
        }
    }

    fn change(&self, change: Change) -> io::Result<()> {
        self.watch(false);
        let mut state = self.lock();
        state.fails(&[Fault::Full, Fault::Write])?;
        change.apply(&mut state.seen);
        state.since.push(change);
        Ok(())
    }
}

impl State {
    fn fails(&mut self, faults: &[Fault]) -> io::Result<()> {
        match &mut self.fault {
            Some((fault, left)) if faults.contains(fault) => match left.checked_sub(1) {
                Some(less) => {
                    *left = less;
                    Ok(())
                }
                None => Err(match fault {
                    Fault::Full => io::ErrorKind::StorageFull.into(),
                    _ => io::Error::other("broken on purpose"),
                }),
            },
            _ => Ok(()),
        }
    }
}

impl Medium for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.lock().seen.len() as u64)
    }

    fn read(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let state = self.lock();
        let start = offset as usize;
        match state.seen.get(start..start + buffer.len()) {
            Some(bytes) => {
                buffer.copy_from_slice(bytes);
                Ok(())
            }
            None => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.change(Change::SetLen(len))
    }

    fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.change(Change::Write(offset, bytes.to_vec()))
    }

    fn sync(&self) -> io::Result<()> {
        self.watch(true);
        let mut state = self.lock();
        state.fails(&[Fault::Flush])?;
        state.syncs += 1;
        if !state.lies {
            state.durable = state.seen.clone();
            state.since.clear();
        }
        Ok(())
    }
}

const SECTOR: u64 = 512;

impl Moment {
    /// Everything that was written is there, as after the end of the process alone.
    pub(crate) fn in_order(&self) -> Vec<u8> {
        self.after(&self.since)
    }

    /// What is left when power is lost: of what was not flushed nothing, the first part, any part in any order, or any sectors.
    pub(crate) fn lost_power(&self, random: &mut Random) -> Vec<u8> {
        let mut since = self.since.clone();
        match random.below(4) {
            0 => since.clear(),
            1 => since.truncate(random.below(since.len() as u64 + 1) as usize),
            2 => {
                since.retain(|_| random.below(2) == 0);
                for at in (1..since.len()).rev() {
                    since.swap(at, random.below(at as u64 + 1) as usize);
                }
            }
            _ => {
                since = since.iter().flat_map(sectors).collect();
                since.retain(|_| random.below(2) == 0);
            }
        }
        self.after(&since)
    }

    fn after(&self, changes: &[Change]) -> Vec<u8> {
        let mut image = self.durable.clone();
        for change in changes {
            change.apply(&mut image);
        }
        image
    }
}

/// A write in the pieces that a medium writes at once.
fn sectors(change: &Change) -> Vec<Change> {
    let Change::Write(offset, bytes) = change else {
        return vec![change.clone()];
    };
    let mut pieces = Vec::new();
    let (mut at, mut rest) = (*offset, bytes.as_slice());
    while !rest.is_empty() {
        let len = ((SECTOR - at % SECTOR) as usize).min(rest.len());
        let (piece, tail) = rest.split_at(len);
        pieces.push(Change::Write(at, piece.to_vec()));
        at += len as u64;
        rest = tail;
    }
    pieces
}
