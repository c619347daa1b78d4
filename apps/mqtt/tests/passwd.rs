//! `mqtt passwd`, and what `mosquitto_passwd` and `mosquitto` make of the same users.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use mqtt_program::broker::Users;
use tempfile::TempDir;

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("there is room for a folder"))
    }

    fn users(&self) -> PathBuf {
        self.0.path().join("users")
    }

    fn read(&self) -> String {
        fs::read_to_string(self.users()).expect("the file is there")
    }

    fn verified(&self, user: &str, password: &str) -> bool {
        let (users, report) = Users::load(&[self.users()]);
        assert!(report.is_empty(), "{report}");
        users.verify(user, password.as_bytes())
    }
}

fn passwd(file: &Path, arguments: &[&str], input: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mqtt"));
    let (options, users): (Vec<&str>, Vec<&str>) = arguments.iter().partition(|argument| argument.starts_with('-'));
    command.arg("passwd").args(options).arg(file).args(users);
    let pipes = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = pipes.spawn().expect("the program runs");
    // It may have ended already, if it does not want any.
    let _ = child.stdin.take().expect("a pipe").write_all(input.as_bytes());
    child.wait_with_output().expect("the program ends")
}

#[track_caller]
fn works(file: &Path, arguments: &[&str], input: &str) {
    let output = passwd(file, arguments, input);
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn a_file_that_is_not_there_is_told_of_and_not_its_user() {
    let folder = Folder::new();
    refuses(
        &folder.users(),
        &["--delete", "alice"],
        "",
        1,
        "users: there is no such file",
    );
    assert!(!folder.users().exists());
}

#[track_caller]
fn refuses(file: &Path, arguments: &[&str], input: &str, code: i32, why: &str) {
    let before = fs::read(file).ok();
    let output = passwd(file, arguments, input);
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{told}");
    assert!(told.contains(why), "{told}");
    assert_eq!(fs::read(file).ok(), before, "the file is as it was");
}

#[test]
fn a_user_is_made_changed_and_taken_out() {
    let folder = Folder::new();
    let users = folder.users();
    works(&users, &["alice"], "one\nnot this\n");
    assert_eq!(
        fs::metadata(&users).expect("it is there").permissions().mode() & 0o777,
        0o600
    );
    assert!(folder.read().starts_with("alice:$argon2id$"));
    assert!(!folder.read().contains("one"));
    assert!(folder.verified("alice", "one"));
    works(&users, &["bob"], "two");
    works(&users, &["alice"], "three\r\n");
    assert!(folder.verified("alice", "three") && !folder.verified("alice", "one") && folder.verified("bob", "two"));
    works(&users, &["--delete", "alice"], "");
    assert!(!folder.verified("alice", "three") && folder.verified("bob", "two"));
    refuses(&users, &["--delete", "bob", "alice"], "", 1, "there is no user alice");
    refuses(&users, &["alice", "bob"], "x\n", 2, "one user at a time");
    works(&users, &["--delete", "bob"], "");
    assert_eq!(folder.read(), "");
}

#[test]
fn many_users_come_from_arguments_or_lines() {
    let folder = Folder::new();
    works(&folder.users(), &["--batch", "a:1", "b:2:3"], "c:4\n");
    works(&folder.users(), &["--batch"], "d:5\n\ne:6");
    let right = [("a", "1"), ("b", "2:3"), ("d", "5"), ("e", "6")];
    for (user, password) in right {
        assert!(folder.verified(user, password), "{user}");
    }
    assert!(
        !folder.read().contains("c:"),
        "lines are not read if users stand in the arguments"
    );
    refuses(
        &folder.users(),
        &["--batch"],
        "f:7\nsecret\n",
        2,
        "standard input, line 2: there is no colon",
    );
    let output = passwd(&folder.users(), &["--batch"], "f:7\nsecret\n");
    assert!(
        !String::from_utf8_lossy(&output.stderr).contains("secret"),
        "{output:?}"
    );
}

#[test]
fn what_cannot_be_a_user_is_refused() {
    let folder = Folder::new();
    let users = folder.users();
    for (name, why) in [
        ("", "a letter at least"),
        ("a:b", "a colon"),
        ("#a", "a comment"),
        ("a\nb", "a control character"),
        (" a", "a space"),
        ("a ", "a space"),
    ] {
        refuses(&users, &[name], "password\n", 2, why);
    }
    refuses(&users, &["a"], "\n", 2, "the password of a is empty");
    refuses(&users, &[], "", 2, "USER");
    refuses(&users.join("below"), &["a"], "x\n", 1, "below");
}

/// Whether a program of mosquitto's is there. Checks that need it are skipped without it.
fn is_there(program: &str) -> bool {
    let found = Command::new(program).arg("--help").output().is_ok();
    if !found {
        mqtt_testbed::skipped(format_args!("there is no {program} on this machine"));
    }
    found
}

#[test]
fn a_file_of_mosquitto_is_read_and_its_lines_stay() {
    if !is_there("mosquitto_passwd") {
        return;
    }
    let folder = Folder::new();
    let mosquitto = |arguments: &[&str], user: &str, password: &str| {
        let mut command = Command::new("mosquitto_passwd");
        let output = command
            .args(arguments)
            .arg("-b")
            .arg(folder.users())
            .args([user, password])
            .output();
        assert!(
            output.as_ref().is_ok_and(|output| output.status.success()),
            "{output:?}"
        );
    };
    fs::write(folder.users(), "").expect("there is room");
    fs::set_permissions(folder.users(), fs::Permissions::from_mode(0o600)).expect("it is ours");
    mosquitto(&["-H", "sha512"], "old", "pässword");
    mosquitto(&["-H", "sha512-pbkdf2"], "newer", "with spaces in it");
    mosquitto(&[], "third", "x");
    let theirs = folder.read();
    assert!(
        theirs.contains("old:$6$") && theirs.contains("newer:$7$") && theirs.contains("third:$7$"),
        "{theirs}"
    );
    works(&folder.users(), &["ours"], "y");
    assert!(folder.read().starts_with(&theirs), "their lines stay as they are");
    for (user, password) in [
        ("old", "pässword"),
        ("newer", "with spaces in it"),
        ("third", "x"),
        ("ours", "y"),
    ] {
        assert!(folder.verified(user, password), "{user}");
        assert!(!folder.verified(user, "z"), "{user}");
    }
}

#[test]
fn a_password_costs_what_was_asked_for() {
    let folder = Folder::new();
    works(
        &folder.users(),
        &["--batch", "--memory=1024", "--passes=3", "alice:open"],
        "",
    );
    assert!(
        folder.read().starts_with("alice:$argon2id$v=19$m=1024,t=3,p=1$"),
        "{}",
        folder.read()
    );
    assert!(folder.verified("alice", "open") && !folder.verified("alice", "opem"));
    for cost in [
        ["--memory=7", "--passes=1"],
        ["--memory=262145", "--passes=1"],
        ["--memory=262144", "--passes=5"],
        ["--memory=1024", "--passes=0"],
    ] {
        let output = passwd(&folder.users(), &[&cost[..], &["--batch", "bob:sesame"]].concat(), "");
        assert_eq!(output.status.code(), Some(2), "{cost:?}: {output:?}");
    }
    assert!(!folder.verified("bob", "sesame"));
}
