//! Mutations of valid frames: from one flipped bit to two packets grown together.
//!
//! What is changed behind the fixed header would nearly always end at a length that no longer fits. So most of the time
//! the Remaining Length is made to fit again, and the Property Length with it, and the change is judged for itself.

use std::ops::Range;

use crate::anatomy::{Anatomy, Part, Piece, frame_len};
use crate::generate::Pool;
use crate::peers::Version;
use crate::random::Random;
use crate::tables::Section;

/// Bytes that are more likely than others to be an edge: of numbers, of flags, of UTF-8, of topics.
const EDGES: [u8; 22] = [
    0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x10, 0x1F, 0x23, 0x24, 0x2B, 0x2F, 0x7E, 0x7F, 0x80, 0x81, 0x8C, 0xC0, 0xED,
    0xEF, 0xF4, 0xFF,
];

/// One mutant of the frames in the pool.
pub(crate) fn mutant(pool: &Pool, version: Version, random: &mut Random) -> Vec<u8> {
    let mut bytes = pool.any(random).to_vec();
    // One change is the rule, since it can be told what it does; a few have more.
    let changes = if random.chance(1, 5) { random.within(2..5) } else { 1 };
    for _ in 0..changes {
        change(&mut bytes, pool, version, random);
        if bytes.is_empty() {
            bytes.push(random.byte());
        }
    }
    bytes
}

fn change(bytes: &mut Vec<u8>, pool: &Pool, version: Version, random: &mut Random) {
    match random.below(21) {
        0..=2 => flip_bits(bytes, random),
        3..=4 => replace_byte(bytes, random),
        5..=7 => edit_length(bytes, version, random),
        8 => truncate(bytes, random),
        9..=10 => insert(bytes, random),
        11 => remove(bytes, random),
        12..=13 => splice(bytes, pool.any(random), random),
        14..=16 => shuffle_properties(bytes, pool.any(random), version, random),
        17 => replace_header(bytes, random),
        18 => edit_text(bytes, version, random),
        19 => edit_number(bytes, version, random),
        _ => follow_with(bytes, pool.any(random), random),
    }
}

fn flip_bits(bytes: &mut [u8], random: &mut Random) {
    for _ in 0..random.within(1..4) {
        let place = place(bytes, random);
        bytes[place] ^= 1 << random.below(8);
    }
}

/// A place in the bytes; the beginning, where flags and lengths are, comes more often.
fn place(bytes: &[u8], random: &mut Random) -> usize {
    let bound = if random.chance(1, 2) {
        bytes.len().min(16)
    } else {
        bytes.len()
    };
    random.below(bound)
}

fn replace_byte(bytes: &mut [u8], random: &mut Random) {
    let place = place(bytes, random);
    bytes[place] = if random.chance(2, 3) {
        *random.pick(&EDGES)
    } else {
        random.byte()
    };
}

/// Makes one of the lengths lie: the Remaining Length, a Property Length, or a length prefix.
fn edit_length(bytes: &mut Vec<u8>, version: Version, random: &mut Random) {
    let Some(anatomy) = Anatomy::of(bytes, version.level()) else {
        return;
    };
    let of_pieces = anatomy.pieces.iter().filter(|piece| piece.prefixed).map(|piece| {
        let at = piece.range.start;
        (at..at + 2, piece.range.len() - 2)
    });
    let mut lengths: Vec<(Range<usize>, usize)> = of_pieces.collect();
    lengths.extend(anatomy.sections().map(|(_, place, behind)| (place, behind.len())));
    lengths.push((1..anatomy.header_len, anatomy.frame.len() - anatomy.header_len));
    let (place, len) = random.pick(&lengths).clone();
    let len = match random.below(6) {
        0 => len + 1,
        1 => len.saturating_sub(1),
        2 => 0,
        3 => random.below(0x1_0000),
        _ => len.saturating_add_signed(random.below(9) as isize - 4),
    };
    let prefixed = anatomy
        .pieces
        .iter()
        .any(|piece| piece.prefixed && piece.range.start == place.start);
    let new = match () {
        () if prefixed => u16::try_from(len).unwrap_or(u16::MAX).to_be_bytes().to_vec(),
        () if random.chance(1, 8) => padded(len, random),
        () => varint(len),
    };
    let within_header = place.start == 1;
    bytes.splice(place, new);
    if !within_header && random.chance(1, 2) {
        fit_remaining_length(bytes);
    }
}

fn truncate(bytes: &mut Vec<u8>, random: &mut Random) {
    let len = random.below(bytes.len());
    bytes.truncate(len);
    if len > 1 && random.chance(5, 6) {
        fit_remaining_length(bytes);
    }
}

fn insert(bytes: &mut Vec<u8>, random: &mut Random) {
    let (place, count) = (random.below(bytes.len() + 1), random.within(1..5));
    let new: Vec<u8> = (0..count)
        .map(|_| {
            if random.chance(1, 2) {
                *random.pick(&EDGES)
            } else {
                random.byte()
            }
        })
        .collect();
    bytes.splice(place..place, new);
    if place > 1 && random.chance(5, 6) {
        fit_remaining_length(bytes);
    }
}

fn remove(bytes: &mut Vec<u8>, random: &mut Random) {
    let start = random.below(bytes.len());
    let end = (start + random.within(1..9)).min(bytes.len());
    bytes.drain(start..end);
    if start > 1 && random.chance(5, 6) {
        fit_remaining_length(bytes);
    }
}

/// The beginning of one packet and the end of another.
fn splice(bytes: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    let (cut, from) = (random.within(1..bytes.len() + 1), random.below(other.len()));
    bytes.truncate(cut);
    bytes.extend_from_slice(&other[from..]);
    if cut > 1 && random.chance(5, 6) {
        fit_remaining_length(bytes);
    }
}

/// Another type or other flags.
fn replace_header(bytes: &mut [u8], random: &mut Random) {
    let first = bytes[0];
    bytes[0] = match random.below(3) {
        0 => first & 0x0F | random.byte() & 0xF0,
        1 => first & 0xF0 | random.byte() & 0x0F,
        _ => random.byte(),
    };
}

/// Puts something unusual into a text and keeps the lengths right.
fn edit_text(bytes: &mut Vec<u8>, version: Version, random: &mut Random) {
    const UNUSUAL: [&[u8]; 16] = [
        b"\0",
        b"+",
        b"#",
        b"/+",
        b"/#",
        b"+/",
        b"$share/",
        b"$share/g/",
        b"//",
        b"\x01",
        b"\x7F",
        b"\xC2\x85",
        b"\xEF\xBF\xBF",
        b"\xEF\xBB\xBF",
        b"\xED\xA0\x80",
        b"\xC0\x80",
    ];
    let Some(anatomy) = Anatomy::of(bytes, version.level()) else {
        return;
    };
    let texts: Vec<Piece> = anatomy.pieces.iter().filter(|piece| piece.prefixed).cloned().collect();
    if texts.is_empty() {
        return;
    }
    let piece = random.pick(&texts);
    let content = piece.range.start + 2..piece.range.end;
    let new = *random.pick(&UNUSUAL);
    let place = match random.below(4) {
        0 => content.clone(),
        1 => content.start..content.start,
        2 => content.end..content.end,
        _ => {
            let at = random.within(content.start..content.end + 1);
            at..at
        }
    };
    let grown = content.len() - place.len() + new.len();
    let section = section_of(&anatomy, piece.range.start);
    bytes.splice(place, new.iter().copied());
    let prefix = u16::try_from(grown).unwrap_or(u16::MAX).to_be_bytes();
    bytes[piece.range.start..piece.range.start + 2].copy_from_slice(&prefix);
    if let Some((length, behind)) = section {
        let len = (behind.len() + grown) - content.len();
        bytes.splice(length, varint(len));
    }
    fit_remaining_length(bytes);
}

/// Sets a number, a flag byte or a code to an edge.
fn edit_number(bytes: &mut [u8], version: Version, random: &mut Random) {
    let Some(anatomy) = Anatomy::of(bytes, version.level()) else {
        return;
    };
    let is_number = |piece: &&Piece| !piece.prefixed && piece.part != Part::Payload;
    let places: Vec<Range<usize>> = anatomy
        .pieces
        .iter()
        .filter(is_number)
        .map(|piece| piece.range.clone())
        .collect();
    if places.is_empty() {
        return;
    }
    let place = random.pick(&places).clone();
    let number = &mut bytes[place];
    match random.below(4) {
        0 => number.fill(0x00),
        1 => number.fill(0xFF),
        _ => number[0] = *random.pick(&EDGES),
    }
}

fn section_of(anatomy: &Anatomy<'_>, at: usize) -> Option<(Range<usize>, Range<usize>)> {
    anatomy
        .sections()
        .find(|(_, _, behind)| behind.contains(&at))
        .map(|(_, length, behind)| (length, behind))
}

/// Doubles, drops, moves or borrows properties, with lengths that fit.
fn shuffle_properties(bytes: &mut Vec<u8>, other: &[u8], version: Version, random: &mut Random) {
    let Some(anatomy) = Anatomy::of(bytes, version.level()) else {
        return;
    };
    let sections: Vec<(Section, Range<usize>, Range<usize>)> = anatomy.sections().collect();
    if sections.is_empty() {
        return;
    }
    let (_, length, behind) = random.pick(&sections).clone();
    let mut properties = encoded_properties(&anatomy, &behind);
    let foreign = Anatomy::of(other, version.level()).map_or_else(Vec::new, |anatomy| {
        anatomy
            .sections()
            .flat_map(|(_, _, behind)| encoded_properties(&anatomy, &behind))
            .collect()
    });
    for _ in 0..random.within(1..4) {
        match random.below(4) {
            0 if !properties.is_empty() => {
                let doubled = random.pick(&properties).clone();
                properties.insert(random.below(properties.len() + 1), doubled);
            }
            1 if !properties.is_empty() => {
                properties.swap_remove(random.below(properties.len()));
            }
            2 if properties.len() > 1 => {
                let (one, two) = (random.below(properties.len()), random.below(properties.len()));
                properties.swap(one, two);
            }
            _ if !foreign.is_empty() => {
                properties.insert(random.below(properties.len() + 1), random.pick(&foreign).clone());
            }
            _ => properties.push(made_up(random)),
        }
    }
    let section = properties.concat();
    let mut new = varint(section.len());
    new.extend(section);
    bytes.splice(length.start..behind.end, new);
    fit_remaining_length(bytes);
}

/// The properties of a section as they stand there, identifier included.
fn encoded_properties(anatomy: &Anatomy<'_>, behind: &Range<usize>) -> Vec<Vec<u8>> {
    let starts = anatomy.pieces.iter().filter_map(|piece| match piece.part {
        Part::PropertyId(..) if behind.contains(&piece.range.start) => Some(piece.range.start),
        _ => None,
    });
    let mut borders: Vec<usize> = starts.collect();
    borders.push(behind.end);
    borders
        .windows(2)
        .map(|pair| anatomy.frame[pair[0]..pair[1]].to_vec())
        .collect()
}

/// A number for some identifier, known or not, right in shape or not.
fn made_up(random: &mut Random) -> Vec<u8> {
    let mut property = vec![random.byte() % 0x2C];
    let len = *random.pick(&[1, 2, 4]);
    property.extend((0..len).map(|_| if random.chance(1, 2) { 0 } else { random.byte() % 3 }));
    property
}

/// Something behind the packet: the next one, or bytes that belong to it by its length.
fn follow_with(bytes: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    if random.chance(1, 2) {
        bytes.extend_from_slice(other);
    } else {
        bytes.extend((0..random.within(1..4)).map(|_| 0));
        fit_remaining_length(bytes);
    }
}

/// Rewrites the Remaining Length so that the frame is all of the bytes.
fn fit_remaining_length(bytes: &mut Vec<u8>) {
    let header_len = frame_len(bytes)
        .map_or(2, |(header_len, _)| header_len)
        .min(bytes.len());
    let new = varint(bytes.len() - header_len);
    bytes.splice(1.min(header_len)..header_len, new);
}

/// The shortest Variable Byte Integer for this value.
fn varint(value: usize) -> Vec<u8> {
    let (mut bytes, mut rest) = (Vec::new(), value);
    loop {
        let digit = u8::try_from(rest & 0x7F).expect("seven bits");
        rest >>= 7;
        if rest == 0 || bytes.len() == 3 {
            bytes.push(digit);
            return bytes;
        }
        bytes.push(digit | 0x80);
    }
}

/// One that takes more bytes than it needs, or too many.
fn padded(value: usize, random: &mut Random) -> Vec<u8> {
    let mut bytes = varint(value);
    if let Some(last) = bytes.last_mut() {
        *last |= 0x80;
    }
    bytes.extend((0..random.below(3)).map(|_| 0x80));
    bytes.push(0);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fitted_length_makes_the_frame_all_of_the_bytes() {
        for body in [0, 1, 127, 128, 300, 20_000] {
            let mut bytes = vec![0x30, 0xFF, 0x01];
            bytes.extend(vec![0; body]);
            fit_remaining_length(&mut bytes);
            assert_eq!(frame_len(&bytes).map(|(_, len)| len), Some(bytes.len()));
            assert_eq!(bytes.len(), 1 + varint(body).len() + body);
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_mutants() {
        let mutants = || {
            let mut random = Random::new(7);
            let mut pool = Pool::new();
            for _ in 0..50 {
                pool.add(crate::generate::frame(Version::V5.ours(), &mut random));
            }
            (0..500)
                .map(|_| mutant(&pool, Version::V5, &mut random))
                .collect::<Vec<_>>()
        };
        assert_eq!(mutants(), mutants());
    }
}
