//! `mqtt broker` as a process: its configuration, its users and rights, its signals, its figures.
#![cfg(feature = "tokio")]

mod serving;
mod web;

use std::ffi::OsStr;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use serving::{Broker, LISTENER, PATIENCE, add_users, folder};

#[test]
fn retained_messages_and_sessions_outlive_the_process() {
    let folder = folder();
    let config = format!("{LISTENER}[persistence]\npath = 'broker.store'\n");
    let mut broker = Broker::start(folder.path(), &config);
    assert_eq!(broker.publish(&["-t", "kept", "-m", "on", "-r", "-q", "1"]), Some(0));
    let subscribe = ["-c", "-i", "sleeper", "-q", "2", "-t", "queued", "-E"];
    assert!(broker.client("sub", &subscribe).status.success());
    assert_eq!(broker.publish(&["-t", "queued", "-m", "waiting", "-q", "2"]), Some(0));
    broker.signal("-KILL");
    assert_eq!(broker.ends(), None);

    let mut broker = Broker::start(folder.path(), &config);
    let kept = broker.client("sub", &["-t", "kept", "-C", "1", "-W", "10"]);
    assert_eq!(String::from_utf8_lossy(&kept.stdout), "on\n", "{kept:?}");
    let arguments = ["-c", "-i", "sleeper", "-q", "2", "-t", "queued", "-C", "1", "-W", "10"];
    let queued = broker.client("sub", &arguments);
    assert_eq!(String::from_utf8_lossy(&queued.stdout), "waiting\n", "{queued:?}");
    broker.signal("-TERM");
    assert_eq!(broker.ends(), Some(0));
}

#[test]
fn users_and_rights_are_read_again_and_bad_ones_are_not() {
    let folder = folder();
    let (users, acl) = (folder.path().join("users"), folder.path().join("acl"));
    add_users(&users);
    fs::write(&acl, "user alice\ntopic write a/#\n").expect("there is room for a file");
    fs::set_permissions(&acl, fs::Permissions::from_mode(0o600)).expect("it is ours");
    let config = format!("users = ['users']\n{LISTENER}anonymous = false\n[rights]\nfiles = ['acl']\n");
    let broker = Broker::start(folder.path(), &config);
    let publish = |user: &str, password: &str, topic: &str| {
        broker.publish(&["-u", user, "-P", password, "-t", topic, "-m", "x", "-q", "1"])
    };
    assert_eq!(publish("alice", "open", "a/b"), Some(0));
    assert_eq!(publish("alice", "sesame", "a/b"), Some(3), "a wrong password");
    assert_eq!(publish("carol", "open", "a/b"), Some(3), "an unknown user");
    assert_eq!(publish("alice", "open", "b"), Some(3), "another topic");
    assert_eq!(publish("bob", "sesame", "a/b"), Some(3), "another user");
    assert_eq!(broker.publish(&["-t", "a/b", "-m", "x", "-q", "1"]), Some(3), "nobody");

    // What is wrong changes nothing.
    fs::write(&acl, "user bob\ntopics write a/#\n").expect("there is room for a file");
    broker.signal("-HUP");
    broker.told("stays as it was", "");
    assert_eq!(publish("alice", "open", "a/b"), Some(0));
    fs::write(&acl, "user bob\ntopic write a/#\n").expect("there is room for a file");
    broker.signal("-HUP");
    broker.told("was read again", "");
    assert_eq!(publish("alice", "open", "a/b"), Some(3));
    assert_eq!(publish("bob", "sesame", "a/b"), Some(0));
}

#[test]
fn figures_are_told_below_sys_which_is_the_brokers_own() {
    let folder = folder();
    let broker = Broker::start(folder.path(), &format!("sys_interval = '1s'\n{LISTENER}"));
    let sys = broker.client("sub", &["-t", "$SYS/broker/clients/connected", "-C", "2", "-W", "10"]);
    assert!(sys.status.success(), "{sys:?}");
    let last = String::from_utf8_lossy(&sys.stdout).lines().last().map(str::to_owned);
    assert_eq!(last.as_deref(), Some("1"), "{sys:?}");
    for topic in [
        "messages/sent",
        "publish/messages/sent",
        "load/messages/sent/1min",
        "clients/active",
    ] {
        let topic = format!("$SYS/broker/{topic}");
        let sys = broker.client("sub", &["-t", &topic, "-C", "1", "-W", "10"]);
        let number = String::from_utf8_lossy(&sys.stdout).trim().parse::<f64>();
        assert!(number.is_ok_and(|number| number > 0.0), "{topic}: {sys:?}");
    }
    assert_eq!(
        broker.publish(&["-t", "$SYS/broker/version", "-m", "false", "-q", "1"]),
        Some(3)
    );
}

#[test]
fn metrics_and_health_are_there() {
    let folder = folder();
    let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr());
    let address = free.expect("there is a port");
    let store = "[persistence]\npath = 'broker.store'\n";
    let broker = Broker::start(
        folder.path(),
        &format!("{LISTENER}[metrics]\naddress = '{address}'\n{store}"),
    );
    assert_eq!(broker.publish(&["-t", "t", "-m", "x", "-q", "1", "-r"]), Some(0));
    let get = |path| web::get(address, path);
    let metrics = get("/metrics");
    assert_eq!(web::figure(&metrics, "mqtt_messages_received_total"), 1);
    // CONNACK and PUBACK.
    assert_eq!(web::figure(&metrics, "mqtt_packets_sent_total"), 2);
    assert_eq!(web::figure(&metrics, "mqtt_messages_sent_total"), 0);
    assert!(metrics.contains("# TYPE mqtt_connections gauge"), "{metrics}");
    let file = fs::metadata(folder.path().join("broker.store")).expect("it is there");
    assert_eq!(web::figure(&metrics, "mqtt_store_file_bytes"), file.len());
    assert!(web::figure(&metrics, "mqtt_store_flush_seconds_count") > 0);
    for none in [
        "mqtt_logins_waiting",
        "mqtt_logins_turned_away_total",
        "mqtt_log_lines_lost_total",
        "mqtt_store_failed",
    ] {
        assert_eq!(web::figure(&metrics, none), 0, "{none}");
    }
    if cfg!(target_os = "linux") {
        assert!(web::figure(&metrics, "process_resident_memory_bytes") > 1 << 20);
        let (files, most) = ("process_open_fds", "process_max_fds");
        assert!(
            (4..web::figure(&metrics, most)).contains(&web::figure(&metrics, files)),
            "{metrics}"
        );
        assert!(metrics.contains("\nprocess_cpu_seconds_total "), "{metrics}");
    }
    assert!(get("/health").starts_with("HTTP/1.1 200 OK"));
    assert!(get("/else").starts_with("HTTP/1.1 404"));
}

#[test]
fn a_scraper_that_dribbles_keeps_nobody_waiting_for_long() {
    let folder = folder();
    let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr());
    let address = free.expect("there is a port");
    let _broker = Broker::start(folder.path(), &format!("{LISTENER}[metrics]\naddress = '{address}'\n"));
    let mut slow = TcpStream::connect(address).expect("it listens");
    // A byte each time before the one that was waited for has lost its patience, and never the end.
    let dribble = std::thread::spawn(move || {
        while slow.write_all(b"x").is_ok() {
            std::thread::sleep(Duration::from_millis(100));
        }
    });
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("there is such a time");
    stream.write_all(b"GET /health HTTP/1.1\r\n\r\n").expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers in the end");
    assert!(answer.ends_with("healthy\n"), "{answer}");
    dribble.join().expect("it ends when it is closed");
}

#[test]
fn a_wrong_configuration_is_told_by_line_and_column() {
    let folder = folder();
    let file = folder.path().join("mqtt.toml");
    fs::write(&file, "[[listener]]\nadress = '127.0.0.1:0'\n").expect("there is room for a file");
    for further in [&["--check"][..], &[]] {
        let output = Command::new(env!("CARGO_BIN_EXE_mqtt"))
            .args(["broker", "--config"])
            .arg(&file)
            .args(further)
            .output()
            .expect("the program runs");
        assert_eq!(output.status.code(), Some(1));
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            told.contains("mqtt.toml:2:1: error") && told.contains("`address`"),
            "{told}"
        );
    }
}

#[test]
fn a_file_that_is_no_certificate_or_key_is_named() {
    let folder = folder();
    let issued = mqtt_testbed::Authority::new().server("localhost");
    let (certificate, key) = (issued.certificate.as_str(), issued.key.as_str());
    for (wrong, fault, files) in [
        (
            "certificate.pem",
            "there is no certificate: the file is empty",
            ["", key, certificate],
        ),
        (
            "key.pem",
            "there is no private key: the file holds a certificate",
            [certificate, certificate, certificate],
        ),
        (
            "authorities.pem",
            "there is no certificate: the file holds a private key",
            [certificate, key, key],
        ),
    ] {
        let option = match wrong {
            "certificate.pem" => "certificate",
            "key.pem" => "key",
            _ => "client_ca",
        };
        for (name, text) in ["certificate.pem", "key.pem", "authorities.pem"].iter().zip(files) {
            fs::write(folder.path().join(name), text).expect("there is room for a file");
        }
        let file = folder.path().join("mqtt.toml");
        let tls = "certificate = 'certificate.pem'\nkey = 'key.pem'\nclient_ca = 'authorities.pem'\n";
        fs::write(
            &file,
            format!("[[listener]]\naddress = '127.0.0.1:0'\n[listener.tls]\n{tls}"),
        )
        .expect("there is room for a file");
        let output = Command::new(env!("CARGO_BIN_EXE_mqtt"))
            .args(["broker", "--check", "--config"])
            .arg(&file)
            .output()
            .expect("the program runs");
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            told.contains(&format!("{wrong}: {fault}"))
                && told.contains(&format!(": {option}: "))
                && told.contains("PEM"),
            "{told}"
        );
    }
}

#[test]
fn the_printed_configuration_can_be_used() {
    let folder = folder();
    let file = folder.path().join("mqtt.toml");
    let mqtt = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_mqtt")).args(arguments).output();
        output.expect("the program runs")
    };
    fs::write(&file, mqtt(&["broker", "--print-config"]).stdout).expect("there is room for a file");
    let checked = mqtt(&["broker", "--check", "--config", file.to_str().expect("a plain name")]);
    assert!(checked.status.success(), "{checked:?}");
}

/// As with mosquitto's clients.
#[test]
fn a_message_may_be_any_bytes_and_the_last_of_several_options_counts() {
    let folder = folder();
    let broker = Broker::start(folder.path(), LISTENER);
    let port = broker.address.port().to_string();
    let sent = Command::new(env!("CARGO_BIN_EXE_mqtt"))
        .args([
            "pub", "-p", "1", "-p", &port, "-t", "a", "-t", "b", "-q", "0", "-q", "1", "-r", "-m",
        ])
        .arg(OsStr::from_bytes(b"\xFF"))
        .output()
        .expect("the program runs");
    assert!(sent.status.success(), "{sent:?}");
    let kept = broker.client("sub", &["-t", "#", "-C", "1", "-W", "10", "-F", "%t %x"]);
    assert_eq!(String::from_utf8_lossy(&kept.stdout), "b ff\n", "{kept:?}");
}

/// The next connection would only be sent the same.
#[test]
fn a_message_that_the_broker_ends_the_connection_for_is_not_sent_again_and_again() {
    let folder = folder();
    let broker = Broker::start(folder.path(), LISTENER);
    for qos in ["1", "2"] {
        let refused = broker.client("pub", &["-t", "a\u{1}", "-m", "m", "-q", qos]);
        let told = String::from_utf8_lossy(&refused.stderr);
        assert_eq!(refused.status.code(), Some(3), "{told}");
        assert!(told.contains("the peer disconnected: "), "{told}");
    }
    assert_eq!(broker.publish(&["-t", "a", "-m", "m", "-q", "1"]), Some(0));
}

#[test]
fn clients_are_told_that_the_broker_ends() {
    let folder = folder();
    let mut broker = Broker::start(folder.path(), LISTENER);
    let port = broker.address.port().to_string();
    let mut client = Command::new(env!("CARGO_BIN_EXE_mqtt"))
        .args(["sub", "-p", &port, "--no-reconnect", "-t", "t"])
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program runs");
    broker.told(" connected ", "");
    broker.signal("-TERM");
    assert_eq!(broker.ends(), Some(0));
    assert_eq!(client.wait().expect("it is a child").code(), Some(3));
    let mut told = String::new();
    client
        .stderr
        .take()
        .expect("a pipe")
        .read_to_string(&mut told)
        .expect("text");
    assert!(told.contains("shutting down"), "{told}");
}

/// A client chooses its name, and the log is read by people and scripts.
#[test]
fn names_of_clients_look_like_nothing_else_in_the_log() {
    let folder = folder();
    let broker = Broker::start(folder.path(), LISTENER);
    let forged = "x peer=9.9.9.9:1 user=admin";
    assert_eq!(broker.publish(&["-i", forged, "-t", "a", "-m", "b"]), Some(0));
    assert_eq!(
        broker.publish(&["-i", "turned\u{202e}\u{2028}", "-t", "a", "-m", "b"]),
        Some(0)
    );
    assert_eq!(broker.publish(&["-i", "plain-7", "-t", "a", "-m", "b"]), Some(0));
    let lines = broker.told_up_to("disconnected client=plain-7").join("\n");
    assert!(
        lines.contains("connected client=\"x peer=9.9.9.9:1 user=admin\" peer=127.0.0.1"),
        "{lines}"
    );
    assert!(lines.contains("client=\"turned\\u{202e}\\u{2028}\" "), "{lines}");
    assert!(lines.contains("connected client=plain-7 peer=127.0.0.1"), "{lines}");
}
