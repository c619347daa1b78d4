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
