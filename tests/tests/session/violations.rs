//! The statements that a machine can name.

use std::collections::BTreeSet;

use mqtt_session::Violation;
use mqtt_session::proto::{Role, Version};
use mqtt_tests::ledger::{Layer, Trial, row};

use crate::refusal::qualified;

pub(crate) fn trials() -> Vec<Trial> {
    let trial = |name: &str, run: fn()| Trial::new(Layer::Session, format!("violations::{name}"), run);
    vec![
        trial("each names a row of the tables", each_names_a_row),
        trial("each has a text of its own", each_has_a_text),
    ]
}

fn each_names_a_row() {
    let mut wrong = Vec::new();
    for violation in Violation::ALL {
        for sender in [Role::Client, Role::Server] {
            for version in [Version::V5, Version::V3_1_1] {
                let id = qualified(violation.statement(version, sender), version);
                if row(&id).is_none() {
                    wrong.push((*violation, version, id));
                }
            }
            assert_eq!(
                violation.statement(Version::V3_1, sender),
                violation.statement(Version::V3_1_1, sender),
                "3.1 is judged as 3.1.1"
            );
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}

fn each_has_a_text() {
    let texts: BTreeSet<String> = Violation::ALL.iter().map(ToString::to_string).collect();
    assert_eq!(texts.len(), Violation::ALL.len());
    assert!(texts.iter().all(|text| text.len() > 10), "{texts:?}");
}
