//! What the clients are told on the command line, without any server.

#![cfg(feature = "tokio")]

mod running;

use self::running::mqtt;

/// What is said about a call that cannot be.
fn misused(words: &[&str]) -> String {
    let ended = mqtt(words, b"");
    assert_eq!(ended.status.code(), Some(2), "{words:?}: {ended:?}");
    String::from_utf8_lossy(&ended.stderr).into_owned()
}

#[test]
fn options_of_mosquitto_that_are_absent_say_what_to_use() {
    for (option, value, advice) in [
        ("--insecure", None, "--tls-fingerprint"),
        ("-A", Some("10.0.0.1"), "route"),
        ("-S", None, "host and port"),
        ("--proxy", Some("socks5h://a"), "ssh -L"),
        ("--psk", Some("00"), "--cert"),
        ("--psk-identity", Some("a"), "--cert"),
        ("--ciphers", Some("a"), "rustls"),
        ("--tls-version", Some("tlsv1.2"), "rustls"),
        ("--tls-engine", Some("a"), "--key"),
        ("--tls-engine-kpass-sha1", Some("a"), "--key"),
        ("--keyform", Some("pem"), "--key"),
        ("--random-filter", Some("50"), "pipe"),
    ] {
        for command in [
            &["pub", "-t", "a", "-m", "b"][..],
            &["sub", "-t", "a"],
            &["rr", "-t", "a", "-m", "b"],
        ] {
            let mut words = command.to_vec();
            words.push(option);
            words.extend(value);
            let told = misused(&words);
            assert!(
                told.contains(&format!("there is no {option} here")) && told.contains(advice),
                "{told}"
            );
        }
    }
}

#[test]
fn what_a_version_lacks_is_refused_before_anything_is_sent() {
    let old = ["-V", "3.1.1"];
    for words in [
        &["pub", "-t", "a", "-m", "b", "-D", "publish", "content-type", "x"][..],
        &["sub", "-t", "a", "-x", "5"],
        &["sub", "-t", "a", "-P", "secret"],
        &["sub", "-t", "a", "--no-local"],
        &["rr", "-t", "a", "-m", "b"],
    ] {
        let told = misused(&[words, &old].concat());
        assert!(
            told.contains("in this version of MQTT") && told.contains("-V 5"),
            "{told}"
        );
    }
}

#[test]
fn what_does_not_fit_together_is_refused() {
    for (words, part) in [
        (&["pub", "-t", "a"][..], "--message"),
        (&["pub", "-m", "a"], "there is no topic"),
        (&["pub", "-t", "a", "-m", "b", "-n"], "cannot be used with"),
        (&["pub", "-t", "a/+", "-m", "b"], "wildcards"),
        (&["pub", "-t", "a", "--hex", "0"], "--hex"),
        (
            &[
                "pub",
                "-t",
                "a",
                "-m",
                "b",
                "-D",
                "subscribe",
                "user-property",
                "a",
                "b",
            ],
            "this command sends none",
        ),
        (&["pub", "-t", "a", "-m", "b", "-q", "3"], "0, 1 or 2"),
        (&["sub"], "there is no topic"),
        (&["sub", "-t", "a/#/b"], "a/#/b"),
        (&["sub", "-t", "a", "-F", "%z"], "there is no %z"),
        (&["sub", "-t", "a", "-c"], "use -i"),
        (&["sub", "-t", "a", "-C", "0"], "0"),
        (&["sub", "-t", "a", "-V", "4.0"], "3.1.1"),
        (&["sub", "-t", "a", "-i", "b", "-I", "c"], "cannot be used with"),
        (&["sub", "-t", "a", "-D", "will", "content-type", "x"], "--will-topic"),
        (&["sub", "-L", "mqtt://user@:1/x"], "host"),
        (&["sub", "-L", "mqtt://h/x", "--cafile", "/x"], "mqtts://"),
        (&["sub", "-L", "unix:/x", "-t", "a", "-p", "1"], "-p: the URL of -L"),
        (
            &["rr", "-t", "a", "-m", "b", "-D", "publish", "response-topic", "c"],
            "use -e",
        ),
    ] {
        let told = misused(words);
        assert!(told.contains(part), "{words:?}: {told}");
    }
}

#[test]
fn help_of_commands_with_commands_of_their_own_has_examples() {
    for words in [&["help", "store"][..], &["help", "ctl"], &["help", "ctl", "retained"]] {
        let help = mqtt(words, b"");
        let help = String::from_utf8(help.stdout).expect("text");
        assert!(help.contains("Examples:\n  mqtt "), "{words:?}: {help}");
    }
}

#[test]
fn help_has_examples_and_the_exit_codes() {
    for command in ["pub", "sub", "rr"] {
        let help = mqtt(&[command, "--help"], b"");
        assert!(help.status.success());
        let help = String::from_utf8(help.stdout).expect("text");
        assert!(
            help.contains("Examples:") && help.contains("27   not done in the time"),
            "{help}"
        );
        assert!(!help.contains("insecure"), "what is absent is not offered: {help}");
    }
}

#[test]
fn a_password_is_not_repeated() {
    for words in [
        &["sub", "-t", "a", "-u", "me", "-P", "s3cret", "-V", "9"][..],
        &["sub", "-t", "a", "-p", "1", "-u", "me", "-P", "s3cret", "-d"],
        &["sub", "-t", "a", "-L", "mqtt://me:s3cret@localhost:1/a"],
        &["sub", "-t", "a", "-L", "mqtt://me:s3cret@localhost:x/a"],
    ] {
        let ended = mqtt(words, b"");
        assert!(!ended.status.success());
        assert!(!String::from_utf8_lossy(&ended.stderr).contains("s3cret"), "{ended:?}");
    }
}

#[test]
fn files_that_are_not_there_are_named() {
    for option in ["--cafile", "--capath", "--password-file"] {
        let ended = mqtt(&["sub", "-t", "a", "-p", "1", option, "/nowhere/x"], b"");
        assert_eq!(ended.status.code(), Some(1), "{ended:?}");
        assert!(
            String::from_utf8_lossy(&ended.stderr).contains("/nowhere/x"),
            "{ended:?}"
        );
    }
}

/// A port at which nobody listens.
fn closed_port() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("there is a port");
    listener.local_addr().expect("it is bound").port().to_string()
}

/// As with mosquitto's clients.
#[test]
fn host_and_port_behind_a_url_take_the_place_of_its_own() {
    let (port, other) = (closed_port(), closed_port());
    let url = format!("mqtt://127.0.0.1:{port}/a");
    for (words, expected) in [
        (["-L", &url, "-p", &other], &other),
        (["-p", &other, "-L", &url], &port),
        (["-L", &url, "-h", "127.0.0.2"], &port),
    ] {
        let ended = mqtt(&[&["pub", "-m", "x"], &words[..]].concat(), b"");
        assert_eq!(ended.status.code(), Some(1), "{ended:?}");
        let told = String::from_utf8_lossy(&ended.stderr).into_owned();
        let host = if words.contains(&"-h") {
            "127.0.0.2"
        } else {
            "127.0.0.1"
        };
        assert!(told.contains(&format!("mqtt://{host}:{expected}")), "{words:?}: {told}");
    }
}

#[test]
fn a_file_without_what_an_option_wants_is_told_with_what_it_holds() {
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let issued = mqtt_testbed::Authority::new().client("client");
    let file = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).expect("there is room for a file");
        path.to_str().expect("a plain name").to_owned()
    };
    let certificate = file("certificate.pem", issued.certificate.as_bytes());
    let key = file("key.pem", issued.key.as_bytes());
    let other = mqtt_testbed::Authority::new().client("other").key;
    let (empty, der, other) = (
        file("empty", b""),
        file("der", b"\x30\x03\x02\x01\x05"),
        file("other", other.as_bytes()),
    );
    for (files, option, path, found) in [
        (
            [&key, &key, &certificate],
            "--cert",
            &key,
            "there is no certificate: the file holds a private key",
        ),
        (
            [&der, &key, &certificate],
            "--cert",
            &der,
            "there is no certificate: the file holds DER, not PEM",
        ),
        (
            [&certificate, &certificate, &certificate],
            "--key",
            &certificate,
            "there is no private key: the file holds a certificate",
        ),
        (
            [&certificate, &empty, &certificate],
            "--key",
            &empty,
            "there is no private key: the file is empty",
        ),
        ([&certificate, &other, &certificate], "--key", &other, "certificate.pem"),
        (
            [&certificate, &key, &key],
            "--cafile",
            &key,
            "there is no certificate: the file holds a private key",
        ),
    ] {
        let [certificate, key, authorities] = files;
        let mut words = vec![
            "pub",
            "-p",
            "1",
            "-t",
            "a",
            "-m",
            "b",
            "--cert",
            certificate,
            "--key",
            key,
        ];
        words.extend(["--cafile", authorities]);
        let ended = mqtt(&words, b"");
        assert_eq!(ended.status.code(), Some(1), "{ended:?}");
        let told = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert!(
            told.contains(&format!("{option}: {path}: ")) && told.contains(found),
            "{words:?}: {told}"
        );
    }
}
