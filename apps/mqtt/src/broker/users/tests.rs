//! What is read, what is refused, and what a login costs.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::time::Instant;

use proptest::prelude::*;

use super::file::{UsersFile, with_line};
use super::secret::{ARGON2_MEMORY_MAX, ITERATIONS_MAX, SecretFault};
use super::*;

/// Of mosquitto_passwd 2.0.11, with the password `secret`.
const SHA512: &str =
    "$6$JvtXzqD9KCVK48Qy$OsMenbqxzMlVcwIw6Q0tbn5SSWeBm9PtaEoq0QIQUSwi3jXXnzXcdEMh7lsiQL0yN199XW4UKg1JoHhZ4MIG8Q==";
const PBKDF2: &str =
    "$7$101$RFIFksKq5MwGnzCC$9y990WR3eUtgHR08wN1rZKu9rB6gqF487wS4gCuosuxnAghG+/qehuhOTnY4SdlXSbR9smhupMaEt6tMayBA6w==";

fn parse(text: &str) -> (Users, Report) {
    Users::parse(&[("/etc/users".as_ref(), text.as_bytes())])
}

fn fault(hash: &str) -> Option<SecretFault> {
    Secret::parse(hash).err()
}

#[test]
fn hashes_of_mosquitto_are_verified() {
    for hash in [SHA512, PBKDF2] {
        let secret = Secret::parse(hash).expect("a good hash");
        assert!(secret.verify(b"secret"), "{hash}");
        assert!(!secret.verify(b"secre") && !secret.verify(b""), "{hash}");
    }
}

#[test]
fn a_fresh_hash_is_argon2id_and_verified() {
    let one = hash(b"secret").expect("memory and random bytes");
    assert!(one.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{one}");
    assert_ne!(one, hash(b"secret").expect("as above"), "each has a salt of its own");
    let secret = Secret::parse(&one).expect("a good hash");
    assert!(secret.verify(b"secret") && !secret.verify(b"Secret"));
}

/// A hash of Argon2 with these parameters, whose output is of no use.
fn argon2(parameters: &str) -> String {
    format!("$argon2id$v=19${parameters}$c2FsdHNhbHRzYWx0$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
}

#[test]
fn a_hash_whose_login_would_cost_too_much_is_refused() {
    let costly = Some(SecretFault::TooCostly);
    let salt_and_hash = PBKDF2.strip_prefix("$7$101").expect("iterations");
    assert_eq!(fault(&format!("$7${ITERATIONS_MAX}{salt_and_hash}")), None);
    assert_eq!(fault(&format!("$7${}{salt_and_hash}", ITERATIONS_MAX + 1)), costly);
    assert_eq!(fault(&argon2(&format!("m={ARGON2_MEMORY_MAX},t=4,p=1"))), None);
    assert_eq!(fault(&argon2(&format!("m={ARGON2_MEMORY_MAX},t=5,p=1"))), costly);
    assert_eq!(fault(&argon2(&format!("m={},t=1,p=1", ARGON2_MEMORY_MAX + 1))), costly);
    assert_eq!(fault(&argon2("m=8192,t=4294967295,p=1")), costly);
    assert_eq!(fault(&argon2("m=8192,t=1,p=1024")), costly);
}

#[test]
fn a_damaged_hash_is_refused() {
    let malformed = Some(SecretFault::Malformed);
    for hash in [
        "$6$",
        "$6$salt",
        "$6$c2FsdA==$AAAA",
        "$6$c2FsdA==$!!",
        "$7$",
        "$7$0$c2FsdA==$AAAA",
        "$7$-1$a$b",
        "$7$x$a$b",
        "$argon2id$",
        "$argon2id$v=19$m=19456,t=2,p=1",
        "$argon2id$v=19$m=1,t=2,p=1$c2FsdHNhbHRzYWx0$AAAAAAAAAAAAAAAAAAAAAA",
    ] {
        assert_eq!(fault(hash), malformed, "{hash}");
    }
    let cut = SHA512.get(..SHA512.len() - 4).expect("ASCII");
    assert_eq!(fault(cut), malformed);
    for hash in ["", "secret", "$5$a$b", "$1$", "$2y$10$abc"] {
        assert_eq!(fault(hash), Some(SecretFault::UnknownKind), "{hash}");
    }
}

#[test]
fn a_wrong_line_is_told_and_the_others_are_read() {
    let text =
        format!("# users\n\nalice:{SHA512}\nbob:secret\nnonsense\n:{SHA512}\ncarol:$7$101$abc\r\ndave:{PBKDF2}\r\n");
    let (users, report) = parse(&text);
    assert_eq!(users.len(), 2);
    assert!(users.verify("alice", b"secret") && users.verify("dave", b"secret"));
    let told = report.to_string();
    let places: Vec<_> = report.problems().iter().filter_map(|problem| problem.place).collect();
    assert_eq!(
        places.iter().map(|place| place.line).collect::<Vec<_>>(),
        [4, 5, 6, 7],
        "{told}"
    );
    assert!(
        told.contains("/etc/users:4:1: error: the user \"bob\" cannot come in"),
        "{told}"
    );
    assert!(
        !told.contains("secret") && !told.contains("abc"),
        "what stands for a password is not told: {told}"
    );
}

#[test]
fn of_two_lines_the_last_counts() {
    let one = hash(b"one").expect("memory");
    let (users, report) = parse(&format!("a:{one}\na:{SHA512}"));
    assert!(users.verify("a", b"secret") && !users.verify("a", b"one"));
    assert!(report.to_string().contains("2:1: warning"), "{report}");
}

#[test]
fn a_secret_does_not_show_its_hash() {
    let secret = Secret::parse(SHA512).expect("a good hash");
    assert_eq!(format!("{secret:?}"), "Secret(sha512)");
}

#[test]
fn nobody_comes_in_without_users() {
    let users = Users::default();
    assert!(users.is_empty() && !users.verify("", b"") && !users.verify("a", b"secret"));
}

#[test]
fn a_user_that_does_not_exist_costs_what_one_costs_that_does() {
    let (users, report) = parse(&format!("alice:{}", argon2("m=4096,t=8,p=1")));
    assert!(report.is_empty(), "{report}");
    let time = |user: &str| {
        let start = Instant::now();
        assert!(!users.verify(user, b"wrong"));
        start.elapsed()
    };
    // In turns and the fastest of some, since others use this machine too. Without the work it would be a thousandth.
    let times = (0..5).map(|_| (time("alice"), time("mallory")));
    let (known, unknown): (Vec<_>, Vec<_>) = times.unzip();
    let (known, unknown) = (known.into_iter().min(), unknown.into_iter().min());
    assert!(
        unknown.zip(known).is_some_and(|(unknown, known)| unknown > known / 10),
        "{known:?} and {unknown:?}"
    );
}

#[test]
fn one_line_is_changed_and_everything_else_stays() {
    let text = "# comment\na:1\nb:2\n\na:3\nab:4";
    assert_eq!(
        with_line(text, "a", Some("a:9")).as_deref(),
        Some("# comment\na:9\nb:2\n\nab:4\n")
    );
    assert_eq!(
        with_line(text, "c", Some("c:9")).as_deref(),
        Some("# comment\na:1\nb:2\n\na:3\nab:4\nc:9\n")
    );
    assert_eq!(with_line(text, "a", None).as_deref(), Some("# comment\nb:2\n\nab:4\n"));
    assert_eq!(with_line(text, "c", None), None);
    assert_eq!(with_line("", "c", Some("c:9")).as_deref(), Some("c:9\n"));
}

#[test]
fn a_file_keeps_its_mode_and_a_link_stays_a_link() {
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let mode = |path: &Path| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    let (path, link) = (folder.path().join("users"), folder.path().join("link"));
    let file = UsersFile::open(&path).expect("it may be missing");
    assert!(!file.is_there());
    file.replace("a:1\n").expect("there is room");
    assert_eq!(mode(&path), 0o600);
    assert!(file.replace("a:2\n").is_err(), "somebody else has made it meanwhile");

    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("it is ours");
    symlink("users", &link).expect("there is room");
    let file = UsersFile::open(&link).expect("it is there");
    assert_eq!(file.text, "a:1\n");
    file.replace("b:1\n").expect("there is room");
    assert_eq!(mode(&path), 0o640);
    assert!(link.is_symlink());
    assert_eq!(fs::read_to_string(&path).expect("it is there"), "b:1\n");
    let left = fs::read_dir(folder.path()).expect("it is there").count();
    assert_eq!(left, 2, "nothing else is left behind");
}

#[test]
fn a_file_for_everybody_is_warned_of() {
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let path = folder.path().join("users");
    fs::write(&path, format!("a:{SHA512}\n")).expect("there is room");
    for (mode, is_told) in [(0o644, true), (0o640, false), (0o600, false)] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("it is ours");
        let (users, report) = Users::load(std::slice::from_ref(&path));
        assert_eq!((users.len(), report.is_empty()), (1, !is_told), "{report}");
        assert!(!report.has_errors());
    }
    let (_, report) = Users::load(&[folder.path().join("nothing")]);
    assert!(report.has_errors());
}

proptest! {
    #[test]
    fn any_line_is_read_or_told(line in "[a:$]{0,3}(\\$6|\\$7|\\$argon2id)?(\\$[a-z0-9=,+/]{0,12}){0,5}") {
        let (users, report) = parse(&line);
        let says_nothing = line.trim().is_empty();
        prop_assert_eq!(users.len() + report.problems().len(), usize::from(!says_nothing));
    }
}
