//! All files of a configuration together: what `mqtt broker` starts with, reads again on SIGHUP, and checks with `--check`.

use std::fs::File;
use std::path::Path;

use super::config::{Config, Surroundings};
use super::problem::{Problem, Report};
use super::{Permissions, Users};

/// Everything that a broker reads from files of people.
#[derive(Debug, Default)]
pub struct Setup {
    /// What it is to be.
    pub config: Config,
    /// Who may come in.
    pub users: Users,
    /// Who may do what.
    pub permissions: Permissions,
}

/// Reads the configuration and all files that it names, and tells what is wrong with any of them.
///
/// Without a file everything is as it is by default. What is returned beside errors is not to be used.
#[must_use]
pub fn check(file: Option<&Path>) -> (Setup, Report) {
    let Some(file) = file else {
        return (Setup::default(), Report::default());
    };
    let (config, mut report) = Config::load(file, Surroundings::of_this_process());
    let (users, of_users) = Users::load(&config.users);
    let (permissions, of_rights) = Permissions::load(&config.rights);
    report.append(of_users);
    report.append(of_rights);
    files_are_there(&config, &mut report);
    somebody_can_come_in(&config, &users, file, &mut report);
    (
        Setup {
            config,
            users,
            permissions,
        },
        report,
    )
}

/// What is in the files of TLS is for TLS to say; that they are there is known before anything is bound.
fn files_are_there(config: &Config, report: &mut Report) {
    for tls in config.listeners.iter().filter_map(|listener| listener.tls.as_ref()) {
        let files = [&tls.certificate, &tls.key];
        let files = files.into_iter().chain(&tls.client_ca).chain(&tls.revocation_lists);
        for file in files.filter(|file| !file.as_os_str().is_empty()) {
            if let Err(error) = File::open(file) {
                let advice = "make sure that the path is right and that the broker's user may read it";
                report.push(Problem::error(
                    file,
                    None,
                    format_args!("it cannot be read: {error}"),
                    advice,
                ));
            }
        }
    }
}

fn somebody_can_come_in(config: &Config, users: &Users, file: &Path, report: &mut Report) {
    if config.users.is_empty() || !users.is_empty() {
        return;
    }
    let by_password = config.listeners.iter().find(|listener| {
        let from_certificate = listener
            .tls
            .as_ref()
            .map(|tls| tls.user_from_certificate)
            .unwrap_or_default();
        !listener.allows_anonymous() && from_certificate == super::config::UserFromCertificate::No
    });
    if let Some(listener) = by_password {
        let message = format!(
            "nobody can come in at {}: no user stands in the password files",
            listener.address
        );
        report.push(Problem::warning(
            file,
            None,
            message,
            "`mqtt passwd FILE USER` makes one",
        ));
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::super::Who;
    use super::*;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("there is room for a folder");
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::write(&path, text).expect("there is room for a file");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("it is ours");
        }
        folder
    }

    #[test]
    fn without_a_file_there_is_nothing_to_complain_of() {
        let (setup, report) = check(None);
        assert!(report.is_empty());
        assert_eq!(setup.config, Config::default());
    }

    #[test]
    fn everything_that_is_named_is_read() {
        let hash = super::super::users::hash(b"secret").expect("memory");
        let folder = folder(&[
            ("mqtt.toml", "users = ['users']\n[rights]\nfiles = ['acl']"),
            ("users", &format!("alice:{hash}\n")),
            ("acl", "user alice\ntopic read a\n"),
        ]);
        let (setup, report) = check(Some(&folder.path().join("mqtt.toml")));
        assert!(report.is_empty(), "{report}");
        assert!(setup.users.verify("alice", b"secret"));
        let who = Who {
            client_id: "c",
            user: Some("alice"),
        };
        let topic = mqtt_proto::TopicName::new("a").expect("a topic");
        assert!(setup.permissions.may_receive(who, &topic) && !setup.permissions.may_publish(who, &topic));
    }

    #[test]
    fn problems_of_all_files_are_told_at_once() {
        let listener = "[[listener]]\naddress = '0.0.0.0:1'\n[listener.tls]\ncertificate = 'no.pem'\nkey = 'no.key'\n";
        let rest = "[[rights.rule]]\nfilters = ['a#']\n[rights]\nfiles = ['acl', 'no-acl']\n";
        let folder = folder(&[
            ("mqtt.toml", &format!("users = ['users']\nshard = 2\n{listener}{rest}")),
            ("users", "alice:secret\n"),
            ("acl", "topics a\n"),
        ]);
        let (_, report) = check(Some(&folder.path().join("mqtt.toml")));
        let told = report.to_string();
        for part in [
            "mqtt.toml:2:1",
            "users:1:1",
            "acl:1:1",
            "no-acl: error",
            "no.pem: error",
            "no.key: error",
        ] {
            assert!(told.contains(part), "{part} is missing in:\n{told}");
        }
        assert!(
            told.contains("nobody can come in at 0.0.0.0:1: no user stands"),
            "{told}"
        );
    }

    #[test]
    fn a_rule_is_told_of_once() {
        let folder = folder(&[("mqtt.toml", "[[rights.rule]]\nfilters = ['a#']\n")]);
        let (_, report) = check(Some(&folder.path().join("mqtt.toml")));
        assert_eq!(report.problems().len(), 1, "{report}");
        assert!(report.to_string().contains("mqtt.toml:2:11"), "{report}");
    }
}
