//! What fuzzing holds the files of a broker to. The program that a fuzzer runs only calls this.

use std::path::Path;

use super::config::Rights;
use super::problem::{Place, Report};
use super::{Config, Permissions, Users};

/// Takes any bytes for a configuration, a file of users and a file of rights.
///
/// # Panics
/// If one of these promises does not hold:
/// - What is wrong is told with a place that the file has.
/// - A configuration without errors can be printed, and is read from that as the same.
/// - A line of users or rights is read or told, not both.
pub fn configuration(bytes: &[u8]) {
    let (config, report) = Config::parse(bytes, Path::new("mqtt.toml"));
    check_places(bytes, &report);
    if !report.has_errors() {
        let printed = config.to_toml();
        let (again, report) = Config::parse(printed.as_bytes(), Path::new("mqtt.toml"));
        assert!(!report.has_errors(), "{report}{printed}");
        assert_eq!(again, config, "{printed}");
        assert_eq!(config.machine(1).limits, config.limits.broker);
        assert!(!config.listeners.is_empty() && config.shards > 0);
    }
    let _ = Permissions::load(&Rights {
        files: Vec::new(),
        ..config.rights
    });
    let lines = bytes.split(|byte| *byte == b'\n').count();
    let (users, report) = Users::parse(&[(Path::new("users"), bytes)]);
    check_places(bytes, &report);
    assert!(users.len() + report.problems().len() <= lines);
    let (_, report) = Permissions::parse(&[(Path::new("acl"), bytes)]);
    check_places(bytes, &report);
    assert!(report.problems().len() <= lines);
}

fn check_places(bytes: &[u8], report: &Report) {
    let end = Place::of(bytes, bytes.len());
    for problem in report.problems() {
        assert!(
            problem.place.is_none_or(|place| place <= end && place.column > 0),
            "{problem}"
        );
        assert!(!problem.message.is_empty() && !problem.advice.is_empty(), "{problem}");
    }
}
