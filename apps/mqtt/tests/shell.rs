//! Completion scripts, manual pages and help.

use std::fs;
use std::process::{Command, Output};

fn mqtt(arguments: &[&str]) -> Output {
    let output = Command::new(env!("CARGO_BIN_EXE_mqtt")).args(arguments).output();
    output.expect("the program runs")
}

#[test]
fn every_shell_gets_a_script() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = mqtt(&["completion", shell]);
        assert!(output.status.success(), "{shell}");
        assert!(
            String::from_utf8_lossy(&output.stdout).contains("completion"),
            "{shell}"
        );
    }
}

/// A program whose output goes nowhere: how it ended, and what it told, if that was heard.
fn unread(arguments: &[&str], is_heard: bool) -> (Option<i32>, String) {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let mut command = Command::new(env!("CARGO_BIN_EXE_mqtt"));
    command.args(arguments).stdout(writer.try_clone().expect("a pipe"));
    if !is_heard {
        command.stderr(writer);
    }
    let output = command.output().expect("the program runs");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), told)
}

#[test]
fn whoever_ends_reading_has_enough() {
    for (arguments, code) in [
        (&["completion", "bash"][..], 0),
        (&["broker", "--print-config"], 0),
        (&["decode", "c000"], 0),
        (&["decode", "c001"], 1),
        (&["decode", "--file", "/nowhere/file"], 1),
        (&["broker", "--config", "/nowhere/file"], 1),
    ] {
        let (ended, told) = unread(arguments, true);
        assert_eq!(ended, Some(code), "{arguments:?}: {told}");
        assert!(!told.contains("Broken pipe"), "{arguments:?}: {told}");
        assert_eq!(unread(arguments, false).0, Some(code), "{arguments:?}");
    }
}

#[test]
fn every_command_has_a_page() {
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let target = folder.path().join("man1");
    let output = mqtt(&["man", target.to_str().expect("a plain name")]);
    assert!(output.status.success(), "{output:?}");
    let help = String::from_utf8(mqtt(&["--help"]).stdout).expect("text");
    let commands = help.split("Commands:").nth(1).expect("a list of commands");
    let commands = commands.split("\n\n").next().unwrap_or_default();
    let names: Vec<&str> = commands
        .lines()
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| name.chars().all(char::is_lowercase) && *name != "help")
        .collect();
    assert!(names.contains(&"man"), "{names:?}");
    for name in names {
        let page = fs::read_to_string(target.join(format!("mqtt-{name}.1"))).expect(name);
        assert!(page.contains(".SH SYNOPSIS"), "{name}");
    }
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let file = folder.path().join("file");
    fs::write(&file, "").expect("there is room for a file");
    let output = mqtt(&["man", file.join("below").to_str().expect("a plain name")]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("file/below"),
        "{output:?}"
    );
}

#[test]
fn a_list_of_nothing_is_a_misuse() {
    for list in [&["ctl", "sessions"][..], &["ctl", "retained", "list"]] {
        let output = mqtt(&[list, &["--limit", "0"]].concat());
        assert_eq!(output.status.code(), Some(2), "{output:?}");
    }
}

#[test]
fn an_unknown_command_is_a_misuse() {
    let output = mqtt(&["complete"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("completion"),
        "what was meant: {output:?}"
    );
}

/// What the help of `mqtt decode` shows can be tried as it stands.
#[test]
fn bytes_in_the_help_can_be_read() {
    let help = String::from_utf8(mqtt(&["decode", "--help"]).stdout).expect("text");
    let examples = help.lines().filter_map(|line| line.trim().strip_prefix("mqtt "));
    let mut tried = 0;
    for example in examples.filter(|example| example.starts_with("decode") && !example.contains("--file")) {
        let command = example.split("   ").next().unwrap_or(example);
        let output = mqtt(&command.split_whitespace().collect::<Vec<_>>());
        assert!(output.status.success(), "{command}: {output:?}");
        tried += 1;
    }
    assert_eq!(tried, 2, "{help}");
}
