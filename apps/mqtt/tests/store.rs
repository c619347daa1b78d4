//! `mqtt store`: what it says of files that are whole, in use, damaged or something else, and what it makes of them.
#![cfg(all(unix, feature = "tokio"))]

mod lives;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use mqtt_session::{BrokerChange, BrokerKey};
use mqtt_store::{FileStore, SessionName, Store, Stored, Write};
use serde_json::Value;
use tempfile::TempDir;

use self::lives::Serving;

const CONFIG: &str =
    "sys_interval = '0s'\n[[listener]]\naddress = '127.0.0.1:0'\n[persistence]\npath = 'broker.store'\n";

const NOBODY: u32 = 65_534;

fn store(words: &[&str]) -> Output {
    let output = Command::new(env!("CARGO_BIN_EXE_mqtt"))
        .arg("store")
        .args(words)
        .output();
    output.expect("the program runs")
}

/// Code, output and errors.
fn said(words: &[&str]) -> (Option<i32>, String, String) {
    let output = store(words);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

/// What is kept of some clients, by a broker that was killed.
struct Kept {
    folder: TempDir,
    path: PathBuf,
}

impl Kept {
    fn new(config: &str) -> Self {
        let folder = tempfile::tempdir().expect("there is room for a folder");
        let broker = Serving::start(folder.path(), config);
        fill(&broker);
        broker.kill();
        let path = folder.path().join("broker.store");
        Self { folder, path }
    }

    fn name(&self) -> &str {
        self.path.to_str().expect("a plain name")
    }

    fn bytes(&self) -> Vec<u8> {
        fs::read(&self.path).expect("it can be read")
    }

    fn lines(&self, words: &[&str]) -> Vec<Value> {
        let (code, lines, errors) = said(&[&["dump", self.name(), "--json"], words].concat());
        assert_eq!((code, errors.as_str()), (Some(0), ""), "{lines}");
        lines
            .lines()
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect()
    }
}

fn fill(broker: &Serving) {
    let publish = |words: &[&str]| assert!(broker.client("pub", words).status.success(), "{words:?}");
    for (client, filter) in [("sleeper", "queue/#"), ("other", "queue/2")] {
        let arguments = ["-c", "-i", client, "-q", "2", "-t", filter, "-E"];
        assert!(broker.client("sub", &arguments).status.success());
    }
    publish(&["-i", "p", "-t", "kept", "-m", "on", "-r", "-q", "1"]);
    publish(&["-i", "p", "-t", "queue/1", "-m", "first", "-q", "2"]);
    publish(&["-i", "p", "-t", "queue/2", "--hex", "ff00", "-q", "1"]);
    let content = ["-D", "publish", "content-type", "text/plain"];
    publish(&[&["-i", "p", "-t", "queue/3", "-m", "third", "-q", "2"], &content[..]].concat());
}

fn of_kind<'l>(lines: &'l [Value], kind: &str) -> Vec<&'l Value> {
    lines.iter().filter(|line| line["kind"] == kind).collect()
}

/// Whose sessions are kept. That of the publisher may be about to end.
fn sleepers(lines: &[Value]) -> Vec<String> {
    let clients = of_kind(lines, "session")
        .into_iter()
        .filter_map(|line| line["client"].as_str());
    let mut clients: Vec<String> = clients.filter(|client| *client != "p").map(str::to_owned).collect();
    clients.sort();
    clients
}

#[test]
fn a_whole_file_is_checked_and_stays_as_it_is() {
    let kept = Kept::new(CONFIG);
    let before = kept.bytes();
    let (code, told, errors) = said(&["check", kept.name()]);
    assert_eq!((code, errors.as_str()), (Some(0), ""), "{told}");
    assert!(
        told.contains(" sessions, 2 subscriptions, 1 retained messages"),
        "{told}"
    );
    assert!(told.ends_with("Nothing is damaged.\n"), "{told}");
    assert_eq!(kept.bytes(), before);
    let config = kept.folder.path().join("mqtt.toml");
    let (code, by_config, _) = said(&["check", "--config", config.to_str().expect("a plain name")]);
    assert_eq!((code, by_config), (Some(0), told));
    // Read only means that it can be done to a file that is read only.
    fs::set_permissions(&kept.path, fs::Permissions::from_mode(0o400)).expect("it is ours");
    assert_eq!(said(&["check", kept.name()]).0, Some(0));
    assert_eq!(fs::read_dir(kept.folder.path()).expect("a folder").count(), 2);
}

#[test]
fn everything_that_is_kept_is_shown() {
    let kept = Kept::new(CONFIG);
    let before = kept.bytes();
    let lines = kept.lines(&[]);
    assert_eq!(kept.bytes(), before);
    assert_eq!(sleepers(&lines), ["other", "sleeper"]);
    let sessions = of_kind(&lines, "session");
    assert!(sessions.iter().all(|line| line["broker"] == "broker"), "{sessions:?}");
    let subscriptions = of_kind(&lines, "subscription");
    let subscription = subscriptions
        .iter()
        .find(|line| line["client"] == "sleeper")
        .expect("one");
    assert_eq!(
        (&subscription["filter"], &subscription["qos"]),
        (&"queue/#".into(), &2.into())
    );
    let retained = of_kind(&lines, "retained");
    assert_eq!(retained.len(), 1);
    let parts = ["topic", "payload", "qos", "publisher", "payloadlen"].map(|part| retained[0][part].to_string());
    assert_eq!(parts, ["\"kept\"", "\"on\"", "1", "\"p\"", "2"]);
    let messages = of_kind(&lines, "message");
    let texts: Vec<_> = messages.iter().filter(|line| line["client"] == "sleeper").collect();
    assert_eq!(texts.len(), 3, "{messages:#?}");
    assert!(messages.iter().all(|line| line["state"] == "queued"), "{messages:#?}");
    assert_eq!(texts[0]["payload"], "first");
    assert_eq!(
        (&texts[1]["payload-base64"], &texts[1]["payloadlen"]),
        (&"/wA=".into(), &2.into())
    );
    assert_eq!(texts[2]["properties"]["content-type"], "text/plain");

    let of_other = kept.lines(&["--client", "other", "--payload", "hex"]);
    assert!(of_other.iter().all(|line| line["client"] == "other"), "{of_other:#?}");
    assert_eq!(of_kind(&of_other, "message")[0]["payload-hex"], "ff00");
    let of_publisher = kept.lines(&["--client", "p", "--payload", "size"]);
    let of_publisher = of_kind(&of_publisher, "retained");
    assert_eq!(of_publisher.len(), 1, "{of_publisher:#?}");
    assert!(of_publisher[0].get("payload").is_none() && of_publisher[0]["payloadlen"] == 2);
    assert_eq!(kept.lines(&["--client", "nobody"]), Vec::<Value>::new());

    let (code, text, _) = said(&["dump", kept.name()]);
    assert_eq!(code, Some(0));
    for line in [
        "session of \"sleeper\" in broker: ",
        "  subscription to \"queue/#\", QoS 2, identifier ",
        "  message to the client, queued: \"queue/1\", QoS 2, 5 bytes: first\n",
        "  message to the client, queued: \"queue/2\", QoS 1, 2 bytes: ff00\n",
        "retained: \"kept\", QoS 1, retained, 2 bytes: on; from \"p\"\n",
    ] {
        assert!(text.contains(line), "{line} is missing in:\n{text}");
    }
}

#[test]
fn shards_are_looked_at_as_what_they_are() {
    let config = format!("shards = 2\n{CONFIG}");
    let kept = Kept::new(&config);
    let (code, told, _) = said(&["check", kept.name()]);
    assert_eq!(code, Some(0), "{told}");
    assert!(
        told.contains("broker-0-of-2: ") && told.contains("broker-1-of-2: "),
        "{told}"
    );
    assert_eq!(sleepers(&kept.lines(&[])), ["other", "sleeper"]);
    // A broker with another number of them would refuse the file.
    let other = Serving::configure(kept.folder.path(), CONFIG);
    let (code, told, _) = said(&["check", "--config", other.to_str().expect("a plain name")]);
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains("another number of shards"), "{told}");
}

#[test]
fn a_copy_brings_everything_back() {
    let kept = Kept::new(CONFIG);
    let copy = kept.folder.path().join("copy");
    let to = copy.to_str().expect("a plain name");
    let (code, told, errors) = said(&["backup", kept.name(), to]);
    assert_eq!((code, errors.as_str()), (Some(0), ""), "{told}");
    assert_eq!(
        fs::metadata(&copy).expect("it is there").permissions().mode() & 0o777,
        0o600
    );
    assert_eq!(said(&["check", to]).0, Some(0));

    fs::write(&copy, "precious").expect("there is room");
    let (code, _, errors) = said(&["backup", kept.name(), to]);
    assert_eq!(code, Some(1));
    assert!(
        errors.contains("there is a file already") && errors.contains("--force"),
        "{errors}"
    );
    assert_eq!(fs::read(&copy).expect("it is there"), b"precious");
    let config = kept.folder.path().join("mqtt.toml");
    let config = config.to_str().expect("a plain name");
    assert_eq!(said(&["backup", "--config", config, to, "--force"]).0, Some(0));

    let everything = kept.lines(&[]);
    fs::remove_file(&kept.path).expect("it is ours");
    fs::rename(&copy, &kept.path).expect("it is ours");
    assert_eq!(kept.lines(&[]), everything);
    let broker = Serving::start(kept.folder.path(), CONFIG);
    let arguments = [
        "-c", "-i", "sleeper", "-q", "2", "-t", "queue/#", "-C", "3", "-W", "20", "-N",
    ];
    let queued = broker.client("sub", &arguments);
    assert_eq!(queued.stdout, b"first\xff\0third", "{queued:?}");
    assert_eq!(broker.end(), Some(0));
}

#[test]
fn a_compacted_file_has_what_it_had_and_its_owner() {
    let kept = Kept::new(CONFIG);
    let broker = Serving::start(kept.folder.path(), CONFIG);
    let big = kept.folder.path().join("big");
    fs::write(&big, vec![b'x'; 100_000]).expect("there is room");
    let big = big.to_str().expect("a plain name");
    for number in 0..20 {
        let topic = format!("big/{number}");
        assert!(
            broker
                .client("pub", &["-t", &topic, "-f", big, "-r", "-q", "1"])
                .status
                .success()
        );
        assert!(
            broker
                .client("pub", &["-t", &topic, "-n", "-r", "-q", "1"])
                .status
                .success()
        );
    }
    assert_eq!(broker.end(), Some(0));
    fs::set_permissions(&kept.path, fs::Permissions::from_mode(0o640)).expect("it is ours");
    let (everything, before) = (kept.lines(&[]), kept.bytes().len());
    let (code, told, errors) = said(&["compact", kept.name()]);
    assert_eq!((code, errors.as_str()), (Some(0), ""), "{told}");
    let after = kept.bytes().len();
    assert!(
        after < before && told.contains(&format!("{after} bytes, {before} before")),
        "{told}"
    );
    assert_eq!(kept.lines(&[]), everything);
    assert_eq!(
        fs::metadata(&kept.path).expect("it is there").permissions().mode() & 0o777,
        0o640
    );
    let broker = Serving::start(kept.folder.path(), CONFIG);
    assert_eq!(broker.end(), Some(0));
}

#[test]
fn a_file_that_a_broker_has_open_is_left_alone() {
    let kept = Kept::new(CONFIG);
    let broker = Serving::start(kept.folder.path(), CONFIG);
    let copy = kept.folder.path().join("copy");
    let to = copy.to_str().expect("a plain name");
    for words in [
        &["check", kept.name()][..],
        &["dump", kept.name()],
        &["compact", kept.name()],
        &["backup", kept.name(), to],
    ] {
        let (code, _, errors) = said(words);
        assert_eq!(code, Some(1), "{words:?}");
        assert!(errors.contains("in use") && errors.contains("SIGTERM"), "{errors}");
    }
    assert!(!copy.exists());
    assert_eq!(broker.end(), Some(0));
}

#[test]
fn the_file_of_a_running_broker_is_not_replaced() {
    let kept = Kept::new(CONFIG);
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let broker = Serving::start(folder.path(), CONFIG);
    let path = folder.path().join("broker.store");
    let before = fs::metadata(&path).expect("it is there").ino();
    let (code, _, errors) = said(&["backup", kept.name(), path.to_str().expect("a plain name"), "--force"]);
    assert_eq!(code, Some(1));
    assert!(errors.contains("in use") && errors.contains("SIGTERM"), "{errors}");
    assert_eq!(fs::metadata(&path).expect("it is there").ino(), before);
    assert_eq!(broker.end(), Some(0));
}

#[test]
fn limits_count_only_with_a_configuration() {
    let wide = format!("{CONFIG}[limits.broker]\nfilter_levels = 60\n");
    let kept = Kept::new(&wide);
    let broker = Serving::start(kept.folder.path(), &wide);
    let deep = vec!["a"; 50].join("/");
    let arguments = ["-c", "-i", "deep", "-q", "1", "-t", &deep, "-E"];
    assert!(broker.client("sub", &arguments).status.success());
    assert_eq!(broker.end(), Some(0));
    let (code, told, errors) = said(&["check", kept.name()]);
    assert_eq!((code, errors.as_str()), (Some(0), ""), "{told}");
    assert!(told.contains("3 subscriptions"), "{told}");

    let narrow = format!("{CONFIG}[limits.broker]\nfilter_levels = 40\n");
    let config = Serving::configure(kept.folder.path(), &narrow);
    remove_payloads(&kept);
    let (code, told, _) = said(&["check", "--config", config.to_str().expect("a plain name")]);
    assert_eq!(code, Some(1), "{told}");
    let ends = |what: &str, end: &str| told.lines().any(|line| line.contains(what) && line.ends_with(end));
    assert!(
        ends("the subscription of \"deep\"", "above a limit of the configuration"),
        "{told}"
    );
    assert!(ends("the retained message of \"kept\"", "is not there"), "{told}");
    assert_eq!(told.matches("above a limit").count(), 1, "{told}");
}

/// Code and errors, where nobody reads the output.
fn unread(words: &[&str]) -> (Option<i32>, String) {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let mut command = Command::new(env!("CARGO_BIN_EXE_mqtt"));
    command.arg("store").args(words).stdout(writer);
    let output = command.output().expect("the program runs");
    (
        output.status.code(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}

#[test]
fn the_code_is_the_same_if_nobody_reads() {
    let kept = Kept::new(CONFIG);
    let copy = kept.folder.path().join("copy");
    let copy = copy.to_str().expect("a plain name");
    for words in [
        &["check", kept.name()][..],
        &["compact", kept.name()],
        &["backup", kept.name(), copy],
    ] {
        assert_eq!(unread(words), (Some(0), String::new()), "{words:?}");
    }
    assert_eq!(said(&["check", copy]).0, Some(0));
    remove_payloads(&kept);
    let (code, errors) = unread(&["check", kept.name()]);
    assert_eq!(code, Some(1));
    assert!(errors.contains("of no use") && !errors.contains("panicked"), "{errors}");
}

#[test]
fn text_of_clients_does_nothing_to_a_terminal() {
    let kept = Kept::new(CONFIG);
    let broker = Serving::start(kept.folder.path(), CONFIG);
    let topic = "turned/\u{202e}\u{200b}end";
    let arguments = ["-t", topic, "-m", "x", "-r", "-q", "1"];
    assert!(broker.client("pub", &arguments).status.success());
    assert_eq!(broker.end(), Some(0));
    remove_payloads(&kept);
    let (code, told, _) = said(&["check", kept.name()]);
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains(r"turned/\u{202e}\u{200b}end"), "{told}");
    assert!(!told.contains(['\u{202e}', '\u{200b}']), "{told}");
}

/// Damages one page after the other, until one is hit that matters.
fn damage(kept: &Kept) -> (String, String) {
    // Else most pages would be of an earlier time.
    assert_eq!(said(&["compact", kept.name()]).0, Some(0));
    let whole = kept.bytes();
    for page in 1..whole.len() / 4096 {
        let at = page * 4096;
        let used = whole[at..at + 4096].iter().filter(|byte| **byte != 0).count();
        if used < 100 {
            continue;
        }
        let mut image = whole.clone();
        // Behind the head of the page, where its records are.
        for byte in &mut image[at + 600..at + 1400] {
            *byte ^= 0x55;
        }
        fs::write(&kept.path, &image).expect("there is room");
        let (code, told, errors) = said(&["check", kept.name()]);
        assert_eq!(kept.bytes(), image, "checking changes nothing");
        if code == Some(1) && told.contains("damaged: ") {
            return (told, errors);
        }
    }
    panic!("no damage was noticed");
}

#[test]
fn flipped_bytes_are_told_and_nothing_is_made_of_them() {
    let kept = Kept::new(CONFIG);
    let (told, errors) = damage(&kept);
    assert!(told.contains("damaged: pages of the file"), "{told}");
    assert!(
        errors.contains("found to be damaged") && errors.contains("bring back a copy"),
        "{errors}"
    );
    let image = kept.bytes();
    let copy = kept.folder.path().join("copy");
    for words in [
        &["compact", kept.name()][..],
        &["backup", kept.name(), copy.to_str().expect("a plain name")],
    ] {
        let (code, _, errors) = said(words);
        assert_eq!(code, Some(1));
        assert!(
            errors.contains("the store is damaged") && errors.contains("store check"),
            "{errors}"
        );
    }
    // What is left is shown, and that something is missing.
    let (code, _, errors) = said(&["dump", kept.name(), "--json"]);
    assert_eq!(code, Some(1));
    assert!(errors.contains("something is missing"), "{errors}");
    assert_eq!(kept.bytes(), image);
    assert_eq!(fs::read_dir(kept.folder.path()).expect("a folder").count(), 2);
    // A broker mends it, as it was said.
    let broker = Serving::start(kept.folder.path(), CONFIG);
    assert_eq!(broker.end(), Some(0));
    assert_eq!(said(&["check", kept.name()]).0, Some(0));
    assert_eq!(
        fs::read(kept.folder.path().join("broker.store.damaged-1")).expect("it is kept"),
        image
    );
}

/// Removes the payloads, and leaves what refers to them.
fn remove_payloads(kept: &Kept) {
    let mut store = FileStore::open(&kept.path).expect("it is a store");
    let name = SessionName::new("broker").expect("it is short");
    let records = store.load_broker(&name).expect("it can be read").records;
    let payloads = records
        .iter()
        .map(Stored::broker_key)
        .filter(|key| matches!(key, BrokerKey::Payload(_)));
    let deletes: Vec<_> = payloads.cloned().map(BrokerChange::Delete).collect();
    assert!(deletes.len() >= 4, "{deletes:?}");
    store
        .commit(&[Write::apply_broker(name, deletes)])
        .expect("there is room");
}

#[test]
fn records_that_belong_to_nothing_are_told() {
    let kept = Kept::new(CONFIG);
    remove_payloads(&kept);
    let before = kept.bytes();
    let (code, told, errors) = said(&["check", kept.name()]);
    assert_eq!(code, Some(1), "{told}");
    assert!(
        told.contains("  of no use: the payload of a message of \"sleeper\""),
        "{told}"
    );
    assert!(told.contains("  of no use: the retained message of \"kept\""), "{told}");
    assert!(
        !told.contains("damaged: ") && errors.contains("of no use"),
        "{told}{errors}"
    );
    assert_eq!(kept.bytes(), before);
    let (code, text, _) = said(&["dump", kept.name()]);
    assert_eq!(code, Some(0));
    assert!(text.contains("its payload is not there"), "{text}");
}

#[test]
fn what_is_no_store_is_told_and_left_alone() {
    let kept = Kept::new(CONFIG);
    let whole = kept.bytes();
    let wiped = vec![0; whole.len() - 4096];
    let cases: [(&str, &[u8], &str); 4] = [
        ("wiped", &wiped, "not a store"),
        ("cut", &whole[..whole.len() / 2], "damaged"),
        ("cut in its header", &whole[..100], "damaged"),
        ("a text", b"listener 1883\n", "not a store"),
    ];
    for (what, bytes, expected) in cases {
        fs::write(&kept.path, bytes).expect("there is room");
        for command in ["check", "dump", "compact"] {
            let (code, told, errors) = said(&[command, kept.name()]);
            assert_eq!(code, Some(1), "{what}, {command}: {told}{errors}");
            assert!(
                format!("{told}{errors}").contains(expected),
                "{what}, {command}: {told}{errors}"
            );
            assert_eq!(kept.bytes(), bytes, "{what}, {command}");
        }
    }
    for (path, expected) in [
        (kept.folder.path().join("no"), "No such file"),
        (kept.folder.path().to_path_buf(), "this is not a file"),
    ] {
        for command in ["check", "dump", "compact"] {
            let (code, _, errors) = said(&[command, path.to_str().expect("a plain name")]);
            assert_eq!(code, Some(1));
            assert!(errors.contains(expected), "{command}: {errors}");
        }
    }
    assert!(!kept.folder.path().join("no").exists());
}

/// Somebody for whom permissions count may not read the file.
#[test]
fn a_file_that_may_not_be_read_is_told() {
    let kept = Kept::new(CONFIG);
    fs::set_permissions(kept.folder.path(), fs::Permissions::from_mode(0o755)).expect("it is ours");
    fs::set_permissions(&kept.path, fs::Permissions::from_mode(0o000)).expect("it is ours");
    let mut check = Command::new(env!("CARGO_BIN_EXE_mqtt"));
    check.args(["store", "check", kept.name()]);
    if fs::File::open(&kept.path).is_ok() {
        // This is root, who may read everything.
        check.uid(NOBODY).gid(NOBODY);
    }
    let output = match check.output() {
        Ok(output) => output,
        Err(error) => {
            return mqtt_testbed::skipped(format_args!("nobody else may run the program: {error}"));
        }
    };
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(
        errors.contains("Permission denied") && errors.contains("permissions"),
        "{errors}"
    );
}

#[test]
fn what_cannot_be_meant_is_refused() {
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let config = Serving::configure(folder.path(), "[[listener]]\naddress = '127.0.0.1:0'\n");
    let config = config.to_str().expect("a plain name");
    for words in [
        &["check"][..],
        &["check", "a", "--config", config],
        &["backup", "a"],
        &["backup", "a", "b", "--config", config],
        &["dump", "a", "--payload", "no"],
        &[],
    ] {
        assert_eq!(said(words).0, Some(2), "{words:?}");
    }
    let (code, _, errors) = said(&["check", "--config", config]);
    assert_eq!(code, Some(1));
    assert!(errors.contains("no path in [persistence]"), "{errors}");
    let missing = Path::new(config).with_extension("no");
    let (code, _, errors) = said(&["check", "--config", missing.to_str().expect("a plain name")]);
    assert_eq!(code, Some(1));
    assert!(errors.contains("cannot be read"), "{errors}");
    for command in ["check", "dump", "compact", "backup"] {
        let (code, told, _) = said(&[command, "--help"]);
        assert_eq!(code, Some(0));
        assert!(told.contains("Examples:"), "{told}");
    }
}
