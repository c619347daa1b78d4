//! The ledger itself: it has to complain when it should.

use super::*;

fn covering(layer: Layer, name: &str, ids: &'static [&'static str]) -> Trial {
    Trial::new(layer, name, move || ids.iter().for_each(|id| covers(id)))
}

#[test]
fn the_tables_hold_every_statement() {
    let count = |table| rows().iter().filter(|row| row.table == table).count();
    assert_eq!(Table::ALL.map(count), [251, 141, 63, 124, 25]);
}

#[test]
fn an_id_names_one_row() {
    for each in rows() {
        assert_eq!(row(&each.id), Some(each));
    }
    assert_eq!(
        row("MQTT-1.5.4-1"),
        None,
        "an id has to say which specification it is from"
    );
}

#[test]
fn a_run_without_trials_leaves_every_codec_row_open() {
    let audit = Ledger::default().audit(&[Layer::Codec]);
    let codec = rows().iter().filter(|row| row.layers.contains(&Layer::Codec)).count();
    assert_eq!(audit.uncovered.len(), codec);
    assert!(!audit.is_clean());
    assert!(
        audit
            .to_string()
            .contains("no test of layer codec covers v5:MQTT-1.5.4-1")
    );
}

#[test]
fn a_covered_row_is_no_longer_open() {
    let ledger = Ledger::default();
    ledger.run(covering(Layer::Codec, "one", &["v5:MQTT-1.5.4-1"]));
    let audit = ledger.audit(&[Layer::Codec]);
    assert!(!audit.uncovered.iter().any(|(id, _)| id == "v5:MQTT-1.5.4-1"));
    assert_eq!(audit.uncovered.len(), audit.demanded - 1);
    assert!(ledger.matrix(&[Layer::Codec]).contains("codec::one"));
}

#[test]
fn what_one_run_covered_can_be_taken_by_another() {
    let ledger = Ledger::default();
    ledger.run(covering(Layer::Codec, "one", &["v5:MQTT-1.5.4-1", "BI-001"]));
    ledger.run(covering(Layer::Session, "two", &[]));
    let lines = ledger.lines();
    assert_eq!(
        lines,
        "codec\tcodec::one\tBI-001\tv5:MQTT-1.5.4-1\nsession\tsession::two\n"
    );
    let all = Ledger::default();
    assert_eq!(all.take(&lines), Ok(()));
    assert_eq!(all.lines(), lines);
    assert_eq!(all.audit(&Layer::ALL).uncovered, ledger.audit(&Layer::ALL).uncovered);
    assert!(all.conformance().contains("codec::one"));
    for wrong in [
        "codec\tcodec::one",
        "nothing\tone",
        "codec",
        "codec\tother\tv5:MQTT-9.9.9-9",
    ] {
        assert_eq!(all.take(wrong), Err(wrong.to_owned()));
    }
}

#[test]
fn a_trial_of_another_layer_covers_nothing() {
    let ledger = Ledger::default();
    ledger.run(covering(Layer::Session, "one", &["v5:MQTT-1.5.4-1"]));
    assert!(
        ledger
            .audit(&[Layer::Codec])
            .uncovered
            .iter()
            .any(|(id, _)| id == "v5:MQTT-1.5.4-1")
    );
}

#[test]
fn without_trials_every_row_is_open() {
    let audit = Ledger::default().audit(&Layer::ALL);
    assert_eq!(audit.uncovered.len(), audit.demanded);
    assert!(!audit.is_clean());
    let (id, layer) = &audit.uncovered[0];
    let line = format!("- {id} ({})", layer.name());
    assert!(Ledger::default().matrix(&[*layer]).contains(&line), "{line}");
}

#[test]
fn a_trial_with_too_many_rows_is_named() {
    let ledger = Ledger::default();
    let six = &["BI-001", "BI-002", "BI-003", "BI-004", "BI-005", "BI-007"];
    ledger.run(covering(Layer::Codec, "six", six));
    ledger.run(covering(Layer::Codec, "five", &six[..5]));
    assert_eq!(ledger.audit(&[Layer::Codec]).crowded, ["codec::six"]);
}

#[test]
fn a_trial_that_fails_covers_nothing() {
    let ledger = Ledger::default();
    let failing = Trial::new(Layer::Codec, "fails", || {
        covers("v5:MQTT-1.5.4-1");
        panic!("as a failing assertion does");
    });
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| ledger.run(failing)));
    assert!(outcome.is_err());
    assert!(
        ledger
            .audit(&[Layer::Codec])
            .uncovered
            .iter()
            .any(|(id, _)| id == "v5:MQTT-1.5.4-1")
    );
}

#[test]
#[should_panic(expected = "no table has a row v5:MQTT-9.9.9-9")]
fn an_unknown_id_fails_the_trial() {
    Ledger::default().run(covering(Layer::Codec, "one", &["v5:MQTT-9.9.9-9"]));
}

#[test]
#[should_panic(expected = "outside of a trial")]
fn nothing_is_covered_outside_of_a_trial() {
    covers("v5:MQTT-1.5.4-1");
}

#[test]
#[should_panic(expected = "two trials have this name")]
fn two_trials_cannot_share_a_name() {
    let ledger = Ledger::default();
    ledger.run(covering(Layer::Codec, "one", &["BI-001"]));
    ledger.run(covering(Layer::Codec, "one", &["BI-002"]));
}

#[test]
fn the_exemptions_are_of_the_kinds_that_the_ledger_allows() {
    assert_eq!(
        Ledger::default().audit(&[Layer::Codec]).wrong_exemptions,
        Vec::<String>::new()
    );
}
