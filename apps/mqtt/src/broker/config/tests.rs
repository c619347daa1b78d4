//! What is read, what is refused, and with which words.

use std::path::{Path, PathBuf};
use std::time::Duration;

use mqtt_session::{BrokerLimits, Limits, Share};
use mqtt_store::Durability;
use proptest::prelude::*;

use super::*;

fn parse(text: &str) -> (Config, Report) {
    Config::parse(text.as_bytes(), Path::new("/etc/mqtt/mqtt.toml"))
}

fn accepted(text: &str) -> Config {
    let (config, report) = parse(text);
    assert!(report.is_empty(), "{report}");
    config
}

/// What is told about a file with one problem.
fn told(text: &str) -> String {
    let (_, report) = parse(text);
    assert_eq!(report.problems().len(), 1, "{report}");
    report.to_string()
}

#[track_caller]
fn tells(text: &str, parts: &[&str]) {
    let told = told(text);
    for part in parts {
        assert!(told.contains(part), "{part:?} is missing in: {told}");
    }
}

#[test]
fn no_configuration_is_a_broker_on_loopback() {
    let config = accepted("");
    assert_eq!(config, Config::default());
    assert_eq!(config.listeners[0].address.to_string(), "127.0.0.1:1883");
    assert!(config.listeners[0].allows_anonymous());
    assert!(!config.machine(1).is_stored);
}

#[test]
fn the_example_says_what_is_so_without_it() {
    assert_eq!(accepted(&Config::example()), Config::default());
}

/// The example with every key in force.
fn everything_told() -> String {
    let lines = Config::example();
    let lines = lines.lines().map(|line| match line.strip_prefix('#') {
        Some(line) if !line.starts_with(' ') => line,
        _ => line,
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn every_key_of_the_example_is_accepted() {
    let config = accepted(&everything_told());
    let listener = &config.listeners[0];
    let tls = listener.tls.as_ref().expect("a section");
    assert_eq!(tls.key, Path::new("/etc/mqtt/server.key"));
    assert!(tls.require_client_certificate);
    assert_eq!(listener.websocket, Some(WebSocket::default()));
    assert_eq!(config.metrics, Some(Metrics::default()));
    assert_eq!(config.rights.rules[0].filters, ["news/#"]);
    assert_eq!(config.protocol.keep_alive_seconds_max, Some(3600));
}

#[test]
fn every_key_of_the_example_has_a_comment() {
    let example = Config::example();
    let lines: Vec<&str> = example.lines().collect();
    let keys = lines
        .iter()
        .enumerate()
        .filter(|(_, line)| line.contains(" = ") && !line.starts_with("# "));
    let mut count = 0;
    for (at, key) in keys {
        assert!(lines[at - 1].starts_with("# "), "{key}");
        count += 1;
    }
    assert!(count > 60, "{count}");
}

/// The names of the fields of a struct of numbers and times, in what `Debug` writes of it.
fn fields(debug: &str) -> Vec<&str> {
    let names = debug
        .lines()
        .filter_map(|line| line.strip_prefix("    ")?.split_once(": "));
    names.map(|(name, _)| name).collect()
}

#[test]
fn every_limit_of_a_broker_can_be_set() {
    let example = Config::example();
    let (_, limits) = example.split_once("\n[limits.broker]\n").expect("a section");
    let (broker, client) = limits.split_once("\n[limits.client]\n").expect("a section");
    let is_set = |section: &str, name: &str| section.lines().any(|line| line.starts_with(&format!("{name} = ")));
    for name in fields(&format!("{:#?}", BrokerLimits::default())) {
        assert!(is_set(broker, name), "{name}");
    }
    // A broker takes messages in whole, has no inbox, sends no payload from a source, and does not ping.
    let not_a_brokers = [
        "whole_packet_bytes",
        "inbox_messages",
        "chunk_bytes",
        "source_timeout",
        "ping_timeout",
    ];
    for name in fields(&format!("{:#?}", Limits::default())) {
        assert_eq!(is_set(client, name), !not_a_brokers.contains(&name), "{name}");
    }
}

#[test]
fn values_reach_the_machine() {
    let config = accepted(
        "persistence = { path = 'store', durability = 'os' }\n\
         [limits.broker]\nmessages_per_second = 7\nretained_bytes = '2 GiB'\nburst = '250ms'\n\
         [limits.client]\npacket_bytes = '64 KiB'\nstall_timeout = '1m'\n\
         [protocol]\nshare = 'by-topic'\nmaximum_qos = 1\ndollar_topics = true\nsession_expiry_seconds_max = 60",
    );
    let machine = config.machine(9);
    assert_eq!(machine.limits.messages_per_second, 7);
    assert_eq!(machine.limits.retained_bytes, 2 << 30);
    assert_eq!(machine.limits.burst, Duration::from_millis(250));
    assert_eq!(machine.client.session.limits.packet_bytes, 64 << 10);
    assert_eq!(machine.client.session.limits.stall_timeout, Duration::from_secs(60));
    assert_eq!(machine.client.capabilities.maximum_qos, mqtt_proto::QoS::AtLeastOnce);
    assert_eq!(machine.client.session_expiry_seconds_max, Some(60));
    assert_eq!((machine.share, machine.seed), (Share::ByTopic, 9));
    assert!(machine.is_stored && machine.dollar_topics);
    assert_eq!(config.persistence.path, Some(PathBuf::from("/etc/mqtt/store")));
    assert_eq!(config.persistence.durability, Some(Durability::Os));
}

#[test]
fn listeners_replace_the_default_one() {
    let config = accepted(
        "[[listener]]\naddress = '[::1]:2883'\n[listener.websocket]\npath = '/x'\n\
         [[listener]]\naddress = 'unix:mqtt.sock'\nmax_connections = 5",
    );
    let [one, other] = &config.listeners[..] else {
        panic!("two listeners: {config:?}");
    };
    assert_eq!(one.address.to_string(), "[::1]:2883");
    assert_eq!(one.websocket, Some(WebSocket { path: "/x".to_owned() }));
    assert_eq!(other.address, Address::Unix("/etc/mqtt/mqtt.sock".into()));
    assert_eq!((other.max_connections, other.websocket.is_none()), (Some(5), true));
}

#[test]
fn anonymous_clients_come_in_locally_unless_something_else_is_said() {
    let allows = |address: &str, rest: &str| {
        let (config, _) = parse(&format!(
            "users = ['users']\n[[listener]]\naddress = '{address}'\n{rest}"
        ));
        config.listeners[0].allows_anonymous()
    };
    assert!(allows("127.3.2.1:1", "") && allows("[::1]:1", "") && allows("unix:a", ""));
    assert!(allows("[::ffff:127.0.0.1]:1", ""));
    assert!(!allows("0.0.0.0:1", "") && !allows("[::]:1", "") && !allows("10.0.0.1:1", ""));
    assert!(!allows("127.0.0.1:1", "anonymous = false"));
    assert!(!allows("127.0.0.1:1", "proxy_protocol = true"));
    assert!(allows("0.0.0.0:1", "anonymous = true"));
}

#[test]
fn an_unknown_key_is_refused_with_the_nearest() {
    tells("\n  shard = 2", &["mqtt.toml:2:3: error: shard:", "`shards`"]);
    tells(
        "[[listener]]\naddress='127.0.0.1:1'\nmaxconnections=1",
        &["3:1", "listener[1].maxconnections", "`max_connections`"],
    );
    tells("[limits.client]\nPacket-Bytes = 1", &["2:1", "`packet_bytes`"]);
    tells("[log]\nfile = 'x'", &["log.file", "here can be: level, json"]);
    tells("[limits.client]\nzzzzzzzzz = 1", &["--print-config"]);
}

#[test]
fn a_value_that_cannot_be_is_told_with_what_can_be() {
    tells(
        "shards = 0",
        &["1:10: error: shards = 0: this is too little", "1 or more"],
    );
    tells(
        "shards = 'two'",
        &["shards = 'two': a number from 1 to 256", "without quotes"],
    );
    tells(
        "limits.client.receive_maximum = 70000",
        &["70000: a number from 1 to 65535 is expected\n    write one of these"],
    );
    tells("shards = 70000", &["shards = 70000: a number from 1 to 256"]);
    tells("shards = -1", &["shards = -1"]);
    tells("sys_interval = 10", &["a time with its unit", "\"10s\""]);
    tells("sys_interval = '10 weeks'", &["a time with its unit"]);
    tells(
        "[limits.client]\npacket_bytes = '5 TiB'",
        &["packet_bytes = '5 TiB'", "KiB"],
    );
    tells(
        "[limits.client]\npacket_bytes = '99999999999999999999 GiB'",
        &["packet_bytes"],
    );
    tells(
        "[limits.client]\npacket_bytes = '1 GiB'",
        &["this is too much", "268435460 or less"],
    );
    tells(
        "[limits.broker]\nburst = '0s'",
        &["this is too short", "\"1ms\" or longer"],
    );
    tells("[limits.broker]\nsessions = '4 KiB'", &["sessions = '4 KiB'"]);
    tells(
        "[log]\nlevel = 'loud'",
        &["log.level = 'loud'", "\"error\", \"warn\", \"info\", \"debug\""],
    );
    tells("[protocol]\nmaximum_qos = 3", &["write 0, 1 or 2"]);
    tells("users = 'users'", &["users = 'users': a list is expected", "brackets"]);
    tells("control = ''", &["a path is expected"]);
    tells("[[listener]]\naddress = '::1'", &["\"[::1]:1883\""]);
    tells(
        "[[listener]]\naddress = 'localhost:1883'",
        &["an IP address and a port", "unix:"],
    );
    tells("[listener]\naddress = '127.0.0.1:1'", &["`[[listener]]`"]);
    tells("listener = [1]", &["listener[1] = 1: a section", "`[[listener]]`"]);
    tells(
        &"[[listener]]\naddress = 'unix:a'\n".repeat(1001),
        &["there are 1001 of these", "1000 or less"],
    );
    tells("log = 'info'", &["log = 'info': a section is expected", "[log]"]);
    tells(
        "[[listener]]\nanonymous = true",
        &["1:1: error: listener[1]: `address` is missing"],
    );
    tells(
        "[[listener]]\naddress = '127.0.0.1:1'\n[listener.tls]\ncertificate = 'a'",
        &["3:", "`key` is missing"],
    );
}

#[test]
fn what_is_not_toml_is_told_with_its_place() {
    tells("shards = 2\nlistener 1883\n", &["mqtt.toml:2:", "the file is TOML"]);
    tells("shards = 1\nshards = 2", &["mqtt.toml:2:", "duplicate"]);
    let (config, report) = Config::parse(b"# \xC3\xA9\n x = \xFF", Path::new("a.toml"));
    assert!(
        report.to_string().contains("a.toml:2:6: error: this is not UTF-8"),
        "{report}"
    );
    assert_eq!(config, Config::default());
}

#[test]
fn a_large_file_that_is_wrong_throughout_is_told_of_in_time() {
    let text: String = (0..20_000).map(|number| format!("key_{number} = 'é' # é\n")).collect();
    let (_, report) = parse(&text);
    assert_eq!(report.problems().len() + report.further(), 20_000);
    assert!(report.to_string().contains("mqtt.toml:100:1"), "{report}");
}

#[test]
fn what_is_nested_deeply_is_refused() {
    let deep = 200_000;
    let keys = "a.".repeat(deep);
    for text in [
        "users = ".to_owned() + &"[".repeat(deep),
        "users = ".to_owned() + &"{a=".repeat(deep),
        format!("{keys}a = 1"),
        format!("[{keys}a]"),
        format!("[[{keys}a]]"),
        format!("log = {{ {keys}a = 1 }}"),
        format!("{keys}a.b = 1\n{keys}a.c = 1"),
    ] {
        assert!(parse(&text).1.has_errors());
    }
}

#[test]
fn several_problems_are_told_at_once_in_the_order_of_lines() {
    let (_, report) = parse("z = 1\nshards = 0\n[log]\nlevel = 1\njson = 2\n");
    let lines: Vec<_> = report.problems().iter().filter_map(|problem| problem.place).collect();
    assert_eq!(
        lines.iter().map(|place| place.line).collect::<Vec<_>>(),
        [1, 2, 4, 5],
        "{report}"
    );
}

#[test]
fn two_owners_of_one_address_are_refused() {
    let listeners = |one: &str, other: &str| {
        let address = |address: &str| format!("[[listener]]\naddress = '{address}'\nanonymous = true\n");
        let (_, report) = parse(&(address(one) + &address(other)));
        report.to_string().contains("already")
    };
    assert!(listeners("127.0.0.1:1", "127.0.0.1:1"));
    assert!(listeners("127.0.0.1:1", "0.0.0.0:1"));
    assert!(listeners("[::]:1", "[::1]:1"));
    assert!(listeners("unix:a", "unix:a"));
    assert!(!listeners("127.0.0.1:1", "127.0.0.1:2"));
    assert!(!listeners("127.0.0.1:1", "127.0.0.2:1"));
    assert!(!listeners("127.0.0.1:1", "[::]:1"));
    assert!(!listeners("127.0.0.1:0", "127.0.0.1:0"));
    tells(
        "control = 'a'\n[[listener]]\naddress = 'unix:a'",
        &["control: /etc/mqtt/a belongs to listener[1].address"],
    );
    tells(
        "control = 'b'\n[persistence]\npath = './b'",
        &["1:11: error", "control: /etc/mqtt/b belongs to persistence.path"],
    );
    tells(
        "[persistence]\npath = 'a'\n[[listener]]\naddress = 'unix:a'",
        &["listener[1].address: /etc/mqtt/a belongs to persistence.path"],
    );
}

#[test]
fn an_address_where_nobody_can_come_in_is_refused() {
    tells(
        "[[listener]]\naddress = '0.0.0.0:1883'",
        &["2:11: error", "nobody can come in", "`mqtt passwd`"],
    );
    tells(
        "[[listener]]\naddress = '127.0.0.1:1'\nanonymous = false",
        &["nobody can come in"],
    );
}

#[test]
fn an_address_where_everybody_may_do_everything_is_warned_of() {
    let open = "[[listener]]\naddress = '0.0.0.0:1883'\nanonymous = true\n";
    tells(open, &["3:13: warning", "everybody who gets to 0.0.0.0:1883"]);
    accepted(&(open.to_owned() + "[[rights.rule]]\nanonymous = true\nfilters = ['a']"));
}

#[test]
fn passwords_in_plain_text_are_warned_of() {
    let plain = "users = ['u']\n[[listener]]\naddress = '0.0.0.0:1'\n";
    tells(plain, &["3:11: warning", "plain text", "[listener.tls]"]);
    accepted(&(plain.to_owned() + "[listener.tls]\ncertificate = 'c'\nkey = 'k'"));
}

#[test]
fn certificates_of_clients_need_somebody_who_signed_them() {
    let tls = "[[listener]]\naddress = '127.0.0.1:1'\n[listener.tls]\ncertificate = 'c'\nkey = 'k'\n";
    let with = |rest: &str| tls.to_owned() + rest;
    tells(&with("require_client_certificate = true"), &["6:30", "client_ca"]);
    tells(&with("revocation_lists = ['r']"), &["client_ca"]);
    tells(
        &with("user_from_certificate = 'subject'\nclient_ca = 'ca'"),
        &["require_client_certificate = true"],
    );
    accepted(&with(
        "user_from_certificate = 'subject'\nclient_ca = 'ca'\nrequire_client_certificate = true",
    ));
}

#[test]
fn what_says_nothing_is_told() {
    for durability in ["os", "sync"] {
        let text = format!("persistence.durability = '{durability}'");
        tells(&text, &["warning", "nothing is stored"]);
    }
    tells("listener = []", &["there is no listener"]);
    tells("[[rights.rule]]\nfilters = []", &["a rule without topics"]);
    tells(
        "[[rights.rule]]\nfilters = ['a', 'b#']",
        &["2:11", "rights.rule[1].filters: \"b#\": this is no topic filter"],
    );
    tells("[[rights.rule]]\nfilters = ['%u-%c']", &["two names in one level"]);
    accepted("[[rights.rule]]\nanonymous = true\nfilters = ['%u-%c']");
    tells("metrics.address = '0.0.0.0:1'", &["warning", "read the metrics"]);
    tells(
        "[[listener]]\naddress='127.0.0.1:1'\nwebsocket.path = 'a b'",
        &["\"a b\" is no path"],
    );
}

#[test]
fn more_connections_than_files_are_warned_of() {
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let file = folder.path().join("mqtt.toml");
    std::fs::write(&file, "[limits.broker]\nconnections = 2000").expect("there is room for a file");
    let surroundings = |open_files_max| Surroundings {
        open_files_max,
        has_files: false,
    };
    let (_, report) = Config::load(&file, surroundings(Some(2063)));
    assert!(
        report.to_string().contains("2:15: warning") && report.to_string().contains("2064 open files"),
        "{report}"
    );
    for enough in [Some(2064), None] {
        assert!(Config::load(&file, surroundings(enough)).1.is_empty());
    }
    assert!(
        Surroundings::of_this_process()
            .open_files_max
            .is_none_or(|most| most > 0)
    );
}

#[test]
fn some_files_are_left_for_other_things_than_connections() {
    for (files, connections) in [
        (0, 0),
        (1, 0),
        (100, 50),
        (128, 64),
        (256, 192),
        (u64::MAX, u64::MAX - 64),
    ] {
        assert_eq!(Config::connections_within(files), connections, "{files}");
    }
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let (_, report) = Config::load(Path::new("/nowhere/mqtt.toml"), Surroundings::default());
    assert!(report.has_errors());
    assert!(
        report
            .to_string()
            .starts_with("/nowhere/mqtt.toml: error: it cannot be read"),
        "{report}"
    );
}

proptest! {
    #[test]
    fn any_number_of_problems_is_told_and_none_panics(
        keys in prop::collection::vec(("[a-z_]{1,12}|shards|users|listener|limits\\.client\\.events", "[0-9]{1,21}|'.{0,9}'|\\[.{0,5}\\]|true"), 0..8),
    ) {
        let text: String = keys.iter().map(|(key, value)| format!("{key} = {value}\n")).collect();
        let (config, report) = parse(&text);
        if !report.has_errors() {
            prop_assert!(config.shards >= 1 && !config.listeners.is_empty());
        }
        for problem in report.problems() {
            prop_assert!(problem.place.is_none_or(|place| place.line <= keys.len() + 1), "{}", problem);
        }
    }
}
