//! The packets of `data/vectors.jsonl` in both directions: what they decode to, fact by fact, and how that is encoded again.
//!
//! Where the specification and a vector differ, the line says so: `specification` holds the verdict of the specification
//! and why, and `encoding` what is sent for the same packet where the vector is not in its shortest form.

mod facts;

use mqtt_proto::{DecodeError, Decoded, Packet, Rules, Version, decode};
use mqtt_tests::hex;
use serde_json::Value;

const VECTORS: &str = include_str!("../../data/vectors.jsonl");

struct Vector {
    line: usize,
    name: String,
    version: Version,
    bytes: Vec<u8>,
    json: Value,
}

impl Vector {
    /// Whether the packet is valid by the specification.
    fn is_valid(&self) -> bool {
        let verdict = self.json["specification"].get("valid").unwrap_or(&self.json["valid"]);
        verdict
            .as_bool()
            .unwrap_or_else(|| panic!("line {} is undecided: {}", self.line, self.name))
    }

    fn decode(&self) -> Result<Decoded<'_>, DecodeError> {
        decode(&self.bytes, &Rules::new(self.version))
    }

    fn packet(&self) -> Packet<&[u8]> {
        match self.decode() {
            Ok(Decoded::Packet { packet, len }) if len == self.bytes.len() => packet,
            other => panic!("line {} ({}): {other:?}", self.line, self.name),
        }
    }

    /// How the packet has to be encoded.
    fn encoding(&self) -> Vec<u8> {
        self.json["encoding"]
            .as_str()
            .map_or_else(|| self.bytes.clone(), hex::bytes)
    }
}

fn vectors() -> Vec<Vector> {
    let read = |(index, line): (usize, &str)| {
        let json: Value = serde_json::from_str(line).expect("a line of JSON");
        let text = |name: &str| json[name].as_str().expect(name).to_owned();
        let level = json["proto"].as_u64().expect("a protocol level");
        let version = Version::ALL
            .into_iter()
            .find(|version| u64::from(version.level()) == level);
        Vector {
            line: index + 1,
            name: text("name"),
            version: version.expect("a known level"),
            bytes: hex::bytes(&text("hex")),
            json,
        }
    };
    VECTORS.lines().enumerate().map(read).collect()
}

#[test]
fn every_vector_is_accepted_or_refused_as_the_specification_says() {
    let (mut valid, mut invalid) = (0, 0);
    for vector in vectors() {
        let outcome = vector.decode();
        let describe = || format!("line {} ({}): {outcome:?}", vector.line, vector.name);
        match &outcome {
            Ok(Decoded::Packet { len, .. }) => {
                assert!(vector.is_valid() && *len == vector.bytes.len(), "{}", describe());
                valid += 1;
            }
            Ok(Decoded::Incomplete { .. }) => panic!("{}", describe()),
            Err(error) => {
                assert!(!vector.is_valid(), "{}", describe());
                if let Some(statement) = vector.json["specification"]["statement"].as_str() {
                    assert_eq!(error.statement(), statement, "{}", describe());
                }
                invalid += 1;
            }
        }
    }
    assert_eq!((valid, invalid), (103, 67), "all 170 lines were looked at");
}

#[test]
fn every_valid_vector_decodes_to_its_facts() {
    for vector in vectors().iter().filter(|vector| vector.is_valid()) {
        let packet = vector.packet();
        assert_eq!(
            facts::facts(&packet, vector.version, &vector.bytes),
            vector.json["packet"],
            "line {}",
            vector.line
        );
    }
}

#[test]
fn every_valid_vector_is_encoded_in_its_shortest_form() {
    for vector in vectors().iter().filter(|vector| vector.is_valid()) {
        let packet = vector.packet();
        let mut again = Vec::new();
        packet
            .encode_to(vector.version, &mut again)
            .expect("what was decoded can be encoded");
        assert_eq!(
            hex::text(&again),
            hex::text(&vector.encoding()),
            "line {}: {}",
            vector.line,
            vector.name
        );
        let rules = Rules::new(vector.version);
        assert_eq!(
            decode(&again, &rules),
            Ok(Decoded::Packet {
                packet,
                len: again.len()
            }),
            "line {}",
            vector.line
        );
    }
}

#[test]
fn another_encoding_is_another_one_and_not_longer() {
    for vector in vectors().iter().filter(|vector| !vector.json["encoding"].is_null()) {
        let encoding = vector.encoding();
        assert!(
            encoding != vector.bytes && encoding.len() <= vector.bytes.len(),
            "line {}",
            vector.line
        );
    }
}
