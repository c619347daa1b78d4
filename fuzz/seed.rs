//! Writes the inputs that fuzzing starts from into `corpus/<target>/`: valid packets of every type and version, and
//! every frame that stands in hex in the data and the cases of the conformance tests.
//!
//!     cargo run --example seed

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;

use bytes::BytesMut;
use mqtt_proto::{Delivery, Properties, Publish, Role, TopicName, Version};
use mqtt_tests::generate::{corpus, random_bytes};
use mqtt_tests::hex;

/// How many generated packets there are for each version and end.
const PACKETS: u64 = 150;
/// How many strings of random bytes the targets start from that build packets, operations or records.
const RANDOM: usize = 300;

fn main() -> io::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut frames = Vec::new();
    for folder in ["../tests/data", "../tests/tests/conformance"] {
        frames.extend(frames_in(&root.join(folder))?);
    }
    let write = |target: &str, seeds: BTreeSet<Vec<u8>>| write_seeds(&root.join("corpus").join(target), &seeds);
    for (target, version) in [
        ("decode_v3_1", Version::V3_1),
        ("decode_v3_1_1", Version::V3_1_1),
        ("decode_v5", Version::V5),
    ] {
        let frames: Vec<_> = frames.iter().cloned().chain(at_the_edges_of_unicode(version)).collect();
        write(target, for_decode(version, &frames))?;
    }
    write("split", for_split(&frames))?;
    write("filters", for_filters())?;
    write("round_trip", for_building(1))?;
    write("patch", for_building(2))?;
    write("serde", for_building(3).into_iter().chain(as_json()).collect())?;
    write("client", for_building(4))?;
    write("server", for_building(5))?;
    write("pair", for_building(6))?;
    write("records", for_building(7))?;
    write("broker", for_building(8))?;
    write("store", for_building(9))
}

/// Every string in the files of a folder that is nothing but hex, as bytes.
fn frames_in(folder: &Path) -> io::Result<BTreeSet<Vec<u8>>> {
    let mut frames = BTreeSet::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            frames.extend(frames_in(&path)?);
            continue;
        }
        let text = fs::read_to_string(path)?;
        let parts = text.split(['"', '\t']).map(str::trim);
        let is_hex = |part: &&str| part.len() >= 4 && part.bytes().all(|byte| byte == b' ' || byte.is_ascii_hexdigit());
        let digits = |part: &str| part.bytes().filter(u8::is_ascii_hexdigit).count();
        frames.extend(
            parts
                .filter(is_hex)
                .filter(|part| digits(part) % 2 == 0)
                .map(hex::bytes),
        );
    }
    Ok(frames)
}

/// Packets that this end may send, encoded.
fn packets(version: Version, sender: Role) -> Vec<Vec<u8>> {
    let encoded = corpus(version, sender, 1, PACKETS).map(|packet| {
        let mut bytes = BytesMut::new();
        packet
            .encode_to(version, &mut bytes)
            .expect("a generated packet can be encoded");
        bytes.to_vec()
    });
    encoded.collect()
}

/// Messages whose topics hold characters that a policy may refuse, and their neighbours.
fn at_the_edges_of_unicode(version: Version) -> Vec<Vec<u8>> {
    let characters = "\u{1}\u{1F} ~\u{7F}\u{80}\u{9F}\u{A0}\
        \u{FDCF}\u{FDD0}\u{FDEF}\u{FDF0}\u{FEFF}\u{FFFD}\u{FFFE}\u{FFFF}\u{10000}\u{1FFFE}\u{10FFFF}";
    let publish = |character: char| Publish {
        delivery: Delivery::AtMostOnce,
        retain: false,
        topic: Some(TopicName::from_bytes(character.to_string().into_bytes()).expect("neither U+0000 nor a wildcard")),
        properties: Properties::empty(),
        payload: Vec::new(),
    };
    let encoded = |publish: Publish<Vec<u8>>| {
        let mut bytes = BytesMut::new();
        publish.encode_to(version, &mut bytes).expect("a valid PUBLISH");
        bytes.to_vec()
    };
    characters.chars().map(publish).map(encoded).collect()
}

/// Every choice that the rules leave open, the other way round.
const OTHER_POLICY: u8 = 0x3C;

/// Frames and packets, behind the default policy and behind the other one. The rules for packets name their sender.
fn for_decode(version: Version, frames: &[Vec<u8>]) -> BTreeSet<Vec<u8>> {
    let mut seeds = BTreeSet::new();
    for policy in [0, OTHER_POLICY] {
        seeds.extend(frames.iter().map(|frame| [&[policy, 0], &frame[..]].concat()));
        for (sender, end) in [(1, Role::Client), (2, Role::Server)] {
            let packets = packets(version, end).into_iter();
            seeds.extend(packets.map(|packet| [&[policy | sender, 0], &packet[..]].concat()));
        }
    }
    seeds
}

/// Streams of five packets, with a bad frame at the end of every second one.
fn for_split(frames: &[Vec<u8>]) -> BTreeSet<Vec<u8>> {
    let mut seeds = BTreeSet::new();
    for (first, version) in (0..).zip(Version::ALL) {
        for sender in [Role::Client, Role::Server] {
            for (index, five) in packets(version, sender).chunks(5).enumerate() {
                let mut stream = [&[first, 0, 0], &five.concat()[..]].concat();
                if index % 2 == 0 {
                    stream.extend(&frames[index * 7 % frames.len()]);
                }
                seeds.insert(stream);
            }
        }
        seeds.extend(frames.iter().map(|frame| [&[first, 0, 0], &frame[..]].concat()));
    }
    seeds
}

fn for_filters() -> BTreeSet<Vec<u8>> {
    let texts = [
        "a/b/c",
        "a/+/c",
        "a/#",
        "#",
        "+",
        "+/+",
        "/",
        "//",
        "/+",
        "$SYS/a",
        "$SYS/#",
        "+/a",
        "$share/g/a/#",
        "$share/g/#",
        "$share/g",
        "$share//a",
        "$share/g+/a",
        "a#",
        "a/#/b",
        "a+",
        "sport/tennis/player1",
        "sport/tennis/+",
        "é/ü",
        "\0",
        "$share/g//x",
        "$share",
        "$shared/x",
        "a//b",
        "a/+/+/#",
    ];
    let mut seeds = BTreeSet::new();
    for (index, one) in texts.iter().enumerate() {
        for other in &texts[index..] {
            seeds.insert(format!("{one}\n{other}\na/b/c").into_bytes());
            seeds.insert(format!("{other}\n{one}\n{one}").into_bytes());
        }
    }
    seeds
}

/// Random bytes, a few short ones and a few long ones.
fn for_building(seed: u64) -> BTreeSet<Vec<u8>> {
    let lengths = [64, 128, 256, 512].into_iter().cycle();
    (seed << 32..)
        .zip(lengths)
        .map(|(seed, length)| random_bytes(seed, length))
        .take(RANDOM)
        .collect()
}

/// Generated packets of all versions as JSON.
fn as_json() -> impl Iterator<Item = Vec<u8>> {
    let packets = Version::ALL.into_iter().flat_map(|version| {
        [Role::Client, Role::Server]
            .into_iter()
            .flat_map(move |sender| corpus(version, sender, 2, PACKETS))
    });
    packets.map(|packet| serde_json::to_vec(&packet).expect("every packet can be written"))
}

fn write_seeds(folder: &Path, seeds: &BTreeSet<Vec<u8>>) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    for (index, seed) in seeds.iter().enumerate() {
        fs::write(folder.join(format!("seed-{index:04}")), seed)?;
    }
    println!("{}: {} seeds", folder.display(), seeds.len());
    Ok(())
}
