//! What stands beside the program for those who operate it: it names what is there, and can be used.
#![cfg(feature = "tokio")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

const PACKAGING: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/packaging");

fn read(name: &str) -> String {
    fs::read_to_string(Path::new(PACKAGING).join(name)).expect("it is there")
}

fn mqtt(arguments: &[&str]) -> Output {
    let output = Command::new(env!("CARGO_BIN_EXE_mqtt")).args(arguments).output();
    output.expect("the program runs")
}

#[test]
fn the_configuration_can_be_used_once_there_are_users() {
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let file = folder.path().join("mqtt.toml");
    fs::write(&file, read("mqtt.toml")).expect("there is room for a file");
    let file = file.to_str().expect("a plain name");
    let without = mqtt(&["broker", "--check", "--config", file]);
    let told = String::from_utf8_lossy(&without.stderr).into_owned();
    assert!(!without.status.success() && told.contains("users"), "{without:?}");

    // A user with the hash of no password.
    let users = folder.path().join("users");
    let hash = "alice:$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI\n";
    fs::write(&users, hash).expect("there is room for a file");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    fs::set_permissions(&users, mode).expect("it is ours");
    let checked = mqtt(&["broker", "--check", "--config", file]);
    assert!(checked.status.success(), "{checked:?}");
}

/// The value of each line `KEY=..`.
fn values<'a>(unit: &'a str, key: &str) -> Vec<&'a str> {
    let lines = unit.lines();
    lines
        .filter_map(|line| line.strip_prefix(key)?.strip_prefix('='))
        .collect()
}

#[test]
fn the_unit_starts_what_there_is_where_the_configuration_says() {
    let unit = read("mqtt.service");
    let [start] = values(&unit, "ExecStart")[..] else {
        panic!("one start: {unit}")
    };
    let words: Vec<&str> = start.split(' ').collect();
    assert_eq!(
        words,
        ["/usr/local/bin/mqtt", "broker", "--config", "/etc/mqtt/mqtt.toml"]
    );
    assert_eq!(values(&unit, "Type"), ["notify"]);
    // A reload is one SIGHUP, with the drop-in or without it.
    assert_eq!(values(&unit, "ExecReload"), ["/bin/kill -HUP $MAINPID"]);
    let reload = read("mqtt-reload.conf");
    assert_eq!(values(&reload, "Type"), ["notify-reload"]);
    assert_eq!(values(&reload, "ExecReload"), [""]);
    let config = read("mqtt.toml");
    for (key, folder) in [("StateDirectory", "/var/lib"), ("RuntimeDirectory", "/run")] {
        let [name] = values(&unit, key)[..] else {
            panic!("one {key}")
        };
        assert!(config.contains(&format!("\"{folder}/{name}/")), "{folder}/{name}");
    }
    let [user] = values(&unit, "User")[..] else {
        panic!("one user")
    };
    assert!(read("mqtt.sysusers").contains(&format!("\nu {user} ")));
}

#[test]
fn systemd_takes_the_unit() {
    let Some(version) = systemd() else { return };
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let file = folder.path().join("mqtt.service");
    let program = env!("CARGO_BIN_EXE_mqtt");
    fs::write(&file, read("mqtt.service").replace("/usr/local/bin/mqtt", program)).expect("there is room for a file");
    if version >= 253 {
        let beside = folder.path().join("mqtt.service.d");
        fs::create_dir(&beside).expect("there is room for a folder");
        fs::write(beside.join("reload.conf"), read("mqtt-reload.conf")).expect("there is room for a file");
    }
    let output = Command::new("systemd-analyze").arg("verify").arg(&file).output();
    let told = String::from_utf8_lossy(&output.expect("it runs").stderr).into_owned();
    assert!(!told.contains("mqtt.service"), "{told}");
}

/// The version of systemd, if it is there.
fn systemd() -> Option<u32> {
    match Command::new("systemd-analyze").arg("--version").output() {
        Ok(output) => {
            let told = String::from_utf8_lossy(&output.stdout).into_owned();
            let number = told.split_whitespace().nth(1).and_then(|number| number.parse().ok());
            Some(number.unwrap_or_else(|| panic!("no version: {told}")))
        }
        Err(error) => {
            mqtt_testbed::skipped(format_args!("systemd-analyze cannot be run: {error}"));
            None
        }
    }
}

#[test]
fn the_image_is_made_of_what_there_is() {
    let dockerfile = read("Dockerfile");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for line in dockerfile.lines().filter(|line| line.starts_with("COPY --chown")) {
        let from = line.split(' ').nth(2).expect("a source");
        assert!(root.join(from).exists(), "{from}");
    }
    let [health] = dockerfile
        .lines()
        .filter(|line| line.starts_with("HEALTHCHECK"))
        .collect::<Vec<_>>()[..]
    else {
        panic!("one check of health")
    };
    let words: Vec<&str> = health.split('"').skip(1).step_by(2).collect();
    let asked = mqtt(&[&words[1..], &["--help"]].concat());
    assert!(asked.status.success(), "{health}: {asked:?}");
}
