//! The pages of a file of redb, read without trusting any of them.
//!
//! redb refuses a file with one damaged page as a whole. This reads the rest: it goes down the tree from the root, and holds each
//! page against the checksum that the page above it has. Nothing below a branch that fails is looked at, since it may be of
//! another time. A leaf that fails is given out as such, for those who have checksums of their own in it.
//!
//! The layout is version 3 of redb's, as its `docs/design.md` describes it: a header of 64 bytes, two slots of 128 bytes for
//! the last two commits, and from 4,096 on regions of pages. A test holds this reader against redb itself.

use twox_hash::XxHash3_128;

use super::Medium;
use super::backend::MAGIC;

const PAGE_BYTES: u64 = 4096;
/// The header says it too, but has no checksum where it does.
const REGION_BYTES: u64 = PAGE_BYTES << 20;
const SLOTS: [usize; 2] = [64, 192];
const SLOT_BYTES: usize = 128;
const HEADER_BYTES: usize = 320;
const SLOT_VERSION: u8 = 3;
/// No tree that fits into a file is so deep.
const DEPTH: u32 = 64;
/// The largest page is so many times doubled.
const ORDER: u64 = 20;

/// The last commits, newest first, as far as the header can be read.
pub(super) struct Header {
    pub(super) slots: Vec<Slot>,
    len: u64,
}

/// One commit.
#[derive(Clone, Copy)]
pub(super) struct Slot {
    id: u64,
    /// The tree of tables.
    pub(super) root: Option<Root>,
}

/// Where a tree begins, and what its first page has to be.
#[derive(Clone, Copy)]
pub(super) struct Root {
    page: u64,
    checksum: u128,
}

/// The keys above the first bound and up to the second.
#[derive(Clone, Debug, Default)]
pub(super) struct KeyRange {
    pub(super) above: Option<Vec<u8>>,
    pub(super) upto: Option<Vec<u8>>,
}

pub(super) type Entry = (Vec<u8>, Vec<u8>);

/// A piece of a tree, in the order of its keys.
pub(super) enum Piece {
    /// An entry of a page that is as it was written.
    Entry(Entry),
    /// A leaf that is not, with the entries that it seems to have; empty ones where they cannot be read.
    DamagedLeaf(Vec<Entry>, KeyRange),
    /// Nothing can be read of these keys.
    Lost(KeyRange),
}

/// How long keys and values of a table are, if all have the same length.
#[derive(Clone, Copy, Default)]
pub(super) struct Widths {
    pub(super) key: Option<usize>,
    pub(super) value: Option<usize>,
}

impl Header {
    pub(super) fn read(medium: &dyn Medium) -> Option<Self> {
        let len = medium.len().ok()?;
        let mut bytes = [0; HEADER_BYTES];
        medium.read(0, &mut bytes).ok()?;
        if !bytes.starts_with(&MAGIC) {
            return None;
        }
        let mut slots: Vec<Slot> = SLOTS.iter().filter_map(|at| Slot::read(bytes.get(*at..)?)).collect();
        slots.sort_by_key(|slot| std::cmp::Reverse(slot.id));
        Some(Self { slots, len })
    }

    /// Everything there is below this root.
    pub(super) fn walk(&self, medium: &dyn Medium, root: Root, widths: Widths) -> Vec<Piece> {
        let mut walk = Walk {
            header: self,
            medium,
            widths,
            pages_left: self.len / PAGE_BYTES,
            pieces: Vec::new(),
        };
        walk.visit(root, KeyRange::default(), 0);
        walk.pieces
    }

    /// The bytes of a page, if it lies in the file.
    fn page(&self, medium: &dyn Medium, number: u64) -> Option<Vec<u8>> {
        let order = number >> 59;
        if order > ORDER {
            return None;
        }
        let index = number & (0x000F_FFFF >> order);
        let region = (number >> 20) & 0x000F_FFFF;
        let bytes = PAGE_BYTES << order;
        let within = index.checked_mul(bytes)?;
        let start = region
            .checked_mul(REGION_BYTES)?
            .checked_add(within)?
            .checked_add(PAGE_BYTES)?;
        if start.checked_add(bytes)? > self.len {
            return None;
        }
        let mut page = vec![0; usize::try_from(bytes).ok()?];
        medium.read(start, &mut page).ok()?;
        Some(page)
    }
}

impl Slot {
    fn read(bytes: &[u8]) -> Option<Self> {
        let (sealed, checksum) = bytes.get(..SLOT_BYTES)?.split_last_chunk::<16>()?;
        let is_whole = XxHash3_128::oneshot(sealed) == u128::from_le_bytes(*checksum);
        if !is_whole || *sealed.first()? != SLOT_VERSION {
            return None;
        }
        let root = if *sealed.get(1)? == 0 {
            None
        } else {
            Some(Root::read(sealed.get(8..)?)?)
        };
        Some(Self {
            id: u64::from_le_bytes(*sealed.get(104..)?.first_chunk()?),
            root,
        })
    }
}

impl Root {
    /// A page number and a checksum; what follows them is a count.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let (page, rest) = bytes.split_first_chunk()?;
        Some(Self {
            page: u64::from_le_bytes(*page),
            checksum: u128::from_le_bytes(*rest.first_chunk()?),
        })
    }
}

struct Walk<'a> {
    header: &'a Header,
    medium: &'a dyn Medium,
    widths: Widths,
    /// A tree has no more pages than the file.
    pages_left: u64,
    pieces: Vec<Piece>,
}

impl Walk<'_> {
    fn visit(&mut self, root: Root, range: KeyRange, depth: u32) {
        let page = match self.pages_left.checked_sub(1) {
            Some(left) if depth < DEPTH => {
                self.pages_left = left;
                self.header.page(self.medium, root.page)
            }
            _ => None,
        };
        let Some(page) = page else {
            return self.pieces.push(Piece::Lost(range));
        };
        match page.first() {
            Some(1) => match Leaf::new(&page, self.widths) {
                Some(leaf) => self.leaf(&leaf, root.checksum, range),
                None => self.pieces.push(Piece::Lost(range)),
            },
            Some(2) => self.branch(&page, root.checksum, &range, depth),
            _ => self.pieces.push(Piece::Lost(range)),
        }
    }

    fn leaf(&mut self, leaf: &Leaf<'_>, checksum: u128, range: KeyRange) {
        let whole = || (0..leaf.count).map(|at| leaf.entry(at)).collect::<Option<Vec<Entry>>>();
        match whole().filter(|_| leaf.checksum() == Some(checksum)) {
            Some(entries) => self.pieces.extend(entries.into_iter().map(Piece::Entry)),
            None => {
                // What cannot be read is an entry all the same.
                let entries = (0..leaf.count).map(|at| leaf.entry(at).unwrap_or_default());
                self.pieces.push(Piece::DamagedLeaf(entries.collect(), range));
            }
        }
    }

    fn branch(&mut self, page: &[u8], checksum: u128, range: &KeyRange, depth: u32) {
        let Some(children) = children(page, self.widths.key, checksum) else {
            return self.pieces.push(Piece::Lost(range.clone()));
        };
        let mut above = range.above.clone();
        for (child, key) in children {
            let upto = key.or_else(|| range.upto.clone());
            let within = KeyRange {
                above,
                upto: upto.clone(),
            };
            self.visit(child, within, depth.saturating_add(1));
            above = upto;
        }
    }
}

/// A page of entries: kind 1, unused 1, count 2; ends of the keys 4 each and of the values 4 each, where they are not all of the
/// same length; keys; values.
struct Leaf<'p> {
    page: &'p [u8],
    widths: Widths,
    count: usize,
}

impl<'p> Leaf<'p> {
    /// None if it says that it has more entries than it has room for.
    fn new(page: &'p [u8], widths: Widths) -> Option<Self> {
        let count = usize::from(u16_at(page, 2)?);
        (count <= page.len() / 4).then_some(Self { page, widths, count })
    }

    fn keys_start(&self) -> Option<usize> {
        let tables = usize::from(self.widths.key.is_none()) + usize::from(self.widths.value.is_none());
        self.count.checked_mul(4)?.checked_mul(tables)?.checked_add(4)
    }

    /// Where the keys up to and without this one end.
    fn key_start(&self, at: usize) -> Option<usize> {
        match (at.checked_sub(1), self.widths.key) {
            (None, _) => self.keys_start(),
            (Some(_), Some(width)) => width.checked_mul(at)?.checked_add(self.keys_start()?),
            (Some(before), None) => self.end_in_table(before),
        }
    }

    fn value_start(&self, at: usize) -> Option<usize> {
        let first = || self.key_start(self.count);
        match (at.checked_sub(1), self.widths.value) {
            (None, _) => first(),
            (Some(_), Some(width)) => width.checked_mul(at)?.checked_add(first()?),
            (Some(before), None) => {
                let keys = if self.widths.key.is_none() { self.count } else { 0 };
                self.end_in_table(before.checked_add(keys)?)
            }
        }
    }

    fn end_in_table(&self, at: usize) -> Option<usize> {
        usize::try_from(u32_at(self.page, at.checked_mul(4)?.checked_add(4)?)?).ok()
    }

    fn entry(&self, at: usize) -> Option<Entry> {
        let next = at.checked_add(1)?;
        let key = self.page.get(self.key_start(at)?..self.key_start(next)?)?;
        let value = self.page.get(self.value_start(at)?..self.value_start(next)?)?;
        Some((key.to_vec(), value.to_vec()))
    }

    fn checksum(&self) -> Option<u128> {
        Some(XxHash3_128::oneshot(self.page.get(..self.value_start(self.count)?)?))
    }
}

/// The children of a page of branches, each with the last key that it may have; none if the page is not what it should be. Kind
/// 1, unused 1, count of keys 2, unused 4; checksums of the children 16 each; their numbers 8 each; ends of the keys 4 each,
/// where they are not all of the same length; keys.
fn children(page: &[u8], key_width: Option<usize>, checksum: u128) -> Option<Vec<(Root, Option<Vec<u8>>)>> {
    let keys = usize::from(u16_at(page, 2)?);
    let count = keys.checked_add(1)?;
    let numbers = count.checked_mul(16)?.checked_add(8)?;
    let ends = count.checked_mul(8)?.checked_add(numbers)?;
    let keys_start = match key_width {
        Some(_) => ends,
        None => keys.checked_mul(4)?.checked_add(ends)?,
    };
    let key_start = |at: usize| match (at.checked_sub(1), key_width) {
        (None, _) => Some(keys_start),
        (Some(_), Some(width)) => width.checked_mul(at)?.checked_add(keys_start),
        (Some(before), None) => usize::try_from(u32_at(page, before.checked_mul(4)?.checked_add(ends)?)?).ok(),
    };
    if XxHash3_128::oneshot(page.get(..key_start(keys)?)?) != checksum {
        return None;
    }
    (0..count)
        .map(|at| {
            let checksum = page.get(at.checked_mul(16)?.checked_add(8)?..)?.first_chunk()?;
            let number = page.get(at.checked_mul(8)?.checked_add(numbers)?..)?.first_chunk()?;
            let key = match at < keys {
                true => Some(page.get(key_start(at)?..key_start(at.checked_add(1)?)?)?.to_vec()),
                false => None,
            };
            let root = Root {
                page: u64::from_le_bytes(*number),
                checksum: u128::from_le_bytes(*checksum),
            };
            Some((root, key))
        })
        .collect()
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}
