//! Texts, topics and filters: mostly short and plain, now and then long or out of the ordinary.

use arbitrary::{Result, Unstructured};
use bytes::Bytes;
use mqtt_proto::{Binary, Text, TopicFilter, TopicName};

/// Characters of every encoded length, at the edges of what UTF-8 and MQTT allow; no control and no non-characters.
const CHARACTERS: &[char] = &[
    'a',
    'b',
    'c',
    '0',
    ' ',
    '~',
    '$',
    '/',
    '\u{A0}',
    'é',
    '\u{7FF}',
    '\u{800}',
    '€',
    '\u{D7FF}',
    '\u{E000}',
    '\u{FEFF}',
    '\u{FFFD}',
    '\u{10000}',
    '🜄',
    '\u{10FFFD}',
];

/// How many bytes a field has: mostly few, sometimes around a length where an encoding changes.
pub(super) fn length(u: &mut Unstructured<'_>) -> Result<usize> {
    Ok(match u.int_in_range(0..=15_u8)? {
        0 => 0,
        1..=11 => u.int_in_range(1..=12)?,
        12..=13 => u.int_in_range(13..=70)?,
        14 => u.int_in_range(120..=135)?,
        _ => u.int_in_range(250..=300)?,
    })
}

/// Any text.
pub(super) fn text(u: &mut Unstructured<'_>) -> Result<Text<Bytes>> {
    let characters = string(u, |_| true)?;
    Ok(Text::from_bytes(Bytes::from(characters)).expect("no U+0000 and not too long"))
}

/// Any binary data.
pub(super) fn binary(u: &mut Unstructured<'_>) -> Result<Binary<Bytes>> {
    Ok(Binary::new(bytes(u)?).expect("not too long"))
}

/// Any bytes.
pub(super) fn bytes(u: &mut Unstructured<'_>) -> Result<Bytes> {
    let (length, seed) = (length(u)?, u.arbitrary::<u8>()?);
    Ok((0..length)
        .map(|index| seed.wrapping_add(u8::try_from(index % 251).unwrap_or(0)))
        .collect())
}

/// A topic name, `$`-topics and empty levels included.
pub(super) fn topic_name(u: &mut Unstructured<'_>) -> Result<TopicName<Bytes>> {
    let mut levels = Vec::new();
    for _ in 0..u.int_in_range(1..=5_usize)? {
        levels.push(level(u)?);
    }
    let mut topic = levels.join("/");
    if u.ratio(1, 8)? {
        topic.insert(0, '$');
    }
    if topic.is_empty() {
        topic.push('t');
    }
    Ok(TopicName::from_bytes(Bytes::from(topic)).expect("neither empty nor with wildcards"))
}

/// A topic filter; a shared one only where `shared` allows it.
pub(super) fn topic_filter(u: &mut Unstructured<'_>, shared: bool) -> Result<TopicFilter<Bytes>> {
    let mut levels = Vec::new();
    for _ in 0..u.int_in_range(1..=5_usize)? {
        levels.push(if u.ratio(1, 3)? { "+".to_owned() } else { level(u)? });
    }
    if u.ratio(1, 4)? {
        levels.push("#".to_owned());
    }
    let mut filter = levels.join("/");
    if filter.is_empty() {
        filter.push('#');
    }
    if shared && u.ratio(1, 4)? {
        filter = format!("$share/{}/{filter}", u.choose(&["g", "group 1", "é", "$share"])?);
    }
    Ok(TopicFilter::from_bytes(Bytes::from(filter)).expect("wildcards stand for whole levels"))
}

/// One level without wildcards; empty now and then.
fn level(u: &mut Unstructured<'_>) -> Result<String> {
    if u.ratio(1, 2)? {
        return Ok((*u.choose(&["a", "sport", "tennis", "player1", "t"])?).to_owned());
    }
    // A `$share` in front would make another kind of filter of it.
    string(u, |character| !matches!(character, '/' | '$'))
}

fn string(u: &mut Unstructured<'_>, allowed: impl Fn(char) -> bool) -> Result<String> {
    let length = length(u)?;
    let plain = u.ratio(2, 3)?;
    let mut text = String::new();
    while text.len() < length {
        let character = if plain { 'x' } else { *u.choose(CHARACTERS)? };
        text.push(if allowed(character) { character } else { 'y' });
    }
    Ok(text)
}
