//! Encodes a message and decodes it again, in the three versions, and shows what a decoder says to bytes that are wrong.
//!
//! ```text
//! cargo run -p mqtt-proto --example packets
//! cargo run -p mqtt-proto --example packets -- 5 82090001000004612f2b2301
//! ```
//! With arguments it explains a packet given in hex: the version (3.1, 3.1.1 or 5), then the bytes.

use std::error::Error;

use mqtt_proto::{
    Decoded, Delivery, Explanation, Packet, PacketId, Properties, Publish, PublishProperties, Rules, TopicName,
    Version, decode,
};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [] => show_messages(),
        [version, hex] => explain(version, hex),
        _ => Err("give a version (3.1, 3.1.1 or 5) and a packet in hex, or nothing".into()),
    }
}

fn show_messages() -> Result<(), Box<dyn Error>> {
    let mut property_bytes = [0; 64];
    let properties = PublishProperties::build_in(&mut property_bytes)
        .content_type("text/plain")
        .user_property("unit", "celsius")
        .build()?;
    let publish = Packet::Publish(Publish {
        delivery: Delivery::AtLeastOnce {
            id: PacketId::MIN,
            dup: false,
        },
        retain: true,
        topic: Some(TopicName::new("home/kitchen/temperature")?),
        properties,
        payload: &b"21.5"[..],
    });

    for version in Version::ALL {
        // What a version cannot express is left out on purpose, never in silence: encoding it would be an error.
        let publish = publish
            .for_version(version)
            .ok_or("a PUBLISH with a topic exists in every version")?;
        let mut buffer = [0; 256];
        let len = publish.encode(version, &mut buffer)?;
        let bytes = &buffer[..len];
        println!(
            "{version}, {len} bytes:\n{}",
            Explanation::new(bytes, Rules::new(version))
        );
        match decode(bytes, &Rules::new(version))? {
            Decoded::Packet { packet, .. } => assert_eq!(packet, publish),
            Decoded::Incomplete { .. } => return Err("an encoded packet is complete".into()),
        }
    }

    let wildcard_in_topic = b"\x30\x07\x00\x03a/#21";
    println!("A wildcard where only a topic name may stand:");
    println!("{}", Explanation::new(wildcard_in_topic, Rules::new(Version::V5)));

    let empty = Packet::<&[u8]>::Publish(Publish {
        delivery: Delivery::AtMostOnce,
        retain: false,
        topic: None,
        properties: Properties::empty(),
        payload: b"",
    });
    println!(
        "What decoding refuses cannot be encoded: {}",
        empty.encode(Version::V5, &mut [0; 16]).unwrap_err()
    );
    Ok(())
}

fn explain(version: &str, hex: &str) -> Result<(), Box<dyn Error>> {
    let version = match version {
        "3.1" => Version::V3_1,
        "3.1.1" => Version::V3_1_1,
        "5" | "5.0" => Version::V5,
        other => return Err(format!("{other} is no version of MQTT: give 3.1, 3.1.1 or 5").into()),
    };
    let digits: Vec<u8> = hex.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let bytes = digits
        .chunks(2)
        .map(|pair| Ok(u8::from_str_radix(std::str::from_utf8(pair)?, 16)?));
    let bytes: Vec<u8> = bytes.collect::<Result<_, Box<dyn Error>>>()?;
    print!("{}", Explanation::new(&bytes, Rules::new(version)));
    Ok(())
}
