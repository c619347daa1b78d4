//! The inputs that fuzzing kept, and the page for those who come from mosquitto.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;

use mqtt_program::broker::{Config, fuzz};

/// The inputs that fuzzing kept, each with its file name.
fn corpus() -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/configuration");
    let entries = fs::read_dir(folder).expect("there is a corpus");
    let input = |entry: io::Result<fs::DirEntry>| {
        let path = entry.expect("the folder can be read").path();
        let bytes = fs::read(&path).expect("it can be read");
        (path.display().to_string(), bytes)
    };
    let mut inputs: Vec<_> = entries.map(input).collect();
    inputs.sort();
    assert!(inputs.len() >= 10, "{}", inputs.len());
    inputs
}

#[test]
fn every_input_that_fuzzing_kept_passes() {
    for (name, input) in corpus() {
        println!("{name}");
        fuzz::configuration(&input);
    }
}

/// What means something in one of the files, and what may not stand in any.
const BYTES: &[u8] = b"[]{}=.'\"#\n\\$:%-09 \xFF";

/// The input with a part of it left out, doubled, moved, or with another byte in it.
fn changed(input: &[u8], random: &mut impl FnMut(usize) -> usize) -> Vec<u8> {
    let (from, to, place) = (
        random(input.len() + 1),
        random(input.len() + 1),
        random(input.len() + 1),
    );
    let (from, to) = (from.min(to), from.max(to).min(from.min(to) + 40));
    let part = &input[from..to];
    match random(4) {
        0 => [&input[..from], &input[to..]].concat(),
        1 => [&input[..place], part, &input[place..]].concat(),
        2 => [&input[..place], &[BYTES[random(BYTES.len())]][..], &input[place..]].concat(),
        _ => [part, input].concat(),
    }
}

#[test]
fn changed_inputs_pass() {
    // A walk that is the same each time; a fuzzer goes further.
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % below as u64).unwrap_or_default()
    };
    for (_, input) in corpus() {
        for _ in 0..150 {
            let mut input = changed(&input, &mut random);
            for _ in 0..random(3) {
                input = changed(&input, &mut random);
            }
            fuzz::configuration(&input);
        }
    }
}

#[test]
fn the_seed_of_the_corpus_is_the_example() {
    let seed = include_bytes!("../../../fuzz/corpus/configuration/seed-example");
    assert!(
        *seed == *Config::example().as_bytes(),
        "write what `Config::example()` gives into it"
    );
}

const PAGE: &str = include_str!("../MOSQUITTO.md");

/// The keys of mosquitto.conf(5), version 2.0.11, and what else that version takes.
const KEYS: &str = "acl_file address addresses allow_anonymous allow_duplicate_messages allow_zero_length_clientid auth_opt_* auth_plugin \
    auth_plugin_deny_special_chars auto_id_prefix autosave_interval autosave_on_changes bind_address bind_interface \
    bridge_alpn bridge_attempt_unsubscribe bridge_bind_address bridge_cafile bridge_capath bridge_certfile bridge_identity \
    bridge_insecure bridge_keyfile bridge_max_packet_size bridge_outgoing_retain bridge_protocol_version bridge_psk \
    bridge_require_ocsp bridge_tls_version cafile capath certfile check_retain_source ciphers ciphers_tls1.3 cleansession clientid_prefixes \
    connection connection_messages crlfile dhparamfile http_dir idle_timeout include_dir keepalive_interval keyfile listener \
    local_cleansession local_clientid local_password local_username log_dest log_facility log_timestamp log_timestamp_format \
    log_type maximum_qos max_connections max_inflight_bytes max_inflight_messages max_keepalive max_packet_size max_qos max_queued_bytes \
    max_queued_messages max_topic_alias memory_limit message_size_limit mount_point notification_topic notifications \
    notifications_local_only password_file per_listener_settings persistence persistence_file persistence_location \
    persistent_client_expiration pid_file plugin plugin_opt_* port protocol psk_file psk_hint queue_qos0_messages remote_clientid remote_password remote_username \
    require_certificate restart_timeout retain_available retained_persistence retry_interval round_robin set_tcp_nodelay socket_domain start_type sys_interval \
    threshold tls_engine tls_engine_kpass_sha1 tls_keyform tls_version topic try_private upgrade_outgoing_qos use_identity_as_username \
    use_subject_as_username use_username_as_clientid user websockets_headers_size websockets_log_level";

#[test]
fn every_key_of_mosquitto_is_on_the_page() {
    for key in KEYS.split_whitespace() {
        assert!(PAGE.contains(&format!("`{key}`")), "{key}");
    }
}

/// The path of every key and section in the example.
fn paths() -> BTreeSet<String> {
    let mut section = String::new();
    let mut paths = BTreeSet::new();
    for line in Config::example().lines().filter(|line| !line.starts_with("# ")) {
        let line = line.trim_start_matches('#');
        if line.starts_with('[') {
            section = line.trim_matches(['[', ']']).to_owned();
            paths.insert(section.clone());
        } else if let Some((key, _)) = line.split_once(" = ") {
            paths.insert(if section.is_empty() {
                key.to_owned()
            } else {
                format!("{section}.{key}")
            });
        }
    }
    paths
}

#[test]
fn every_key_that_the_page_refers_to_is_there() {
    let paths = paths();
    let mut referred = 0;
    for (at, quoted) in PAGE.split('`').enumerate().filter(|(at, _)| at % 2 == 1) {
        let is_path = quoted.contains('.')
            && quoted
                .split('.')
                .all(|part| part.chars().all(|c| c.is_ascii_lowercase() || c == '_'));
        if is_path {
            assert!(paths.contains(quoted), "{quoted}, quotation {at}");
            referred += 1;
        }
    }
    assert!(referred > 25, "{referred}");
}
