//! Whether the store and the sockets can be where the configuration wants them.

use std::fs;
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::SocketAddr;
use std::path::{Path, PathBuf};

use super::checks::Checks;
use super::settings::{Address, Config};

/// As long as what the control socket is made at, before it gets its name.
const MAKING: &str = ".mqtt-XXXXXX/s";

/// A path of a key, for something that the broker makes there.
struct Named<'a> {
    key: String,
    path: &'a Path,
    is: Is,
}

/// What is made.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Is {
    Store,
    Listener,
    Control,
}

impl Checks<'_> {
    /// `is_here`: the broker is to run on this machine, so that its files count.
    pub(super) fn paths(&mut self, config: &Config, is_here: bool) {
        let named = named(config);
        for (index, this) in named.iter().enumerate() {
            let mut earlier = named.iter().take(index);
            if let Some(other) = earlier.find(|other| is_same(this.path, other.path, is_here)) {
                let message = format!("{} belongs to {} already", this.path.display(), other.key);
                self.error(&this.key, message, "give each a path of its own");
            } else if !this.fits() {
                let message = format!("{}: the path is too long for a socket", this.path.display());
                let advice = "write a shorter one, of 107 bytes at most on Linux; the control socket needs some more in its folder \
                              while it is made";
                self.error(&this.key, message, advice);
            } else if let Some((what, advice)) = this.fault().filter(|_| is_here) {
                self.error(&this.key, format!("{}: {what}", this.path.display()), advice);
            } else if is_here && !folder_of(this.path).is_dir() {
                // Whoever starts the broker may make it then, as systemd does.
                let message = format!("{}: its folder does not exist", this.path.display());
                let advice =
                    "make the folder, for the user of the broker, if nothing does that before the broker starts";
                self.warning(&this.key, message, advice);
            }
        }
    }
}

fn named(config: &Config) -> Vec<Named<'_>> {
    let store = config.persistence.path.as_deref();
    let store = store.map(|path| ("persistence.path".to_owned(), path, Is::Store));
    let listeners = (1..)
        .zip(&config.listeners)
        .filter_map(|(number, listener)| match &listener.address {
            Address::Unix(path) => Some((format!("listener[{number}].address"), path.as_path(), Is::Listener)),
            Address::Tcp(_) => None,
        });
    let control = config.control.as_deref();
    let control = control.map(|path| ("control".to_owned(), path, Is::Control));
    let all = store.into_iter().chain(listeners).chain(control);
    all.map(|(key, path, is)| Named { key, path, is }).collect()
}

impl Named<'_> {
    /// Whether the system takes a path as long as this one.
    fn fits(&self) -> bool {
        let fits = |path: &Path| SocketAddr::from_pathname(path).is_ok();
        match self.is {
            Is::Store => true,
            Is::Listener => fits(self.path),
            Is::Control => fits(self.path) && fits(&folder_of(self.path).join(MAKING)),
        }
    }

    /// What is in the way there, and what to do about it.
    fn fault(&self) -> Option<(String, &'static str)> {
        let is_store = self.is == Is::Store;
        let there = match is_store {
            true => fs::metadata(self.path),
            false => fs::symlink_metadata(self.path),
        };
        match there {
            Ok(there) if is_store && !there.is_file() => Some((
                "something else than a file is there".to_owned(),
                "name a file, or a path where nothing is: the store is made there",
            )),
            Ok(there) if !is_store && !there.file_type().is_socket() => Some((
                "something else than a socket is there".to_owned(),
                "choose another path, or remove it",
            )),
            Ok(_) => None,
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => Some((
                format!("it cannot be looked at: {error}"),
                "make sure that the path is right and that the broker's user gets there",
            )),
        }
    }
}

fn folder_of(path: &Path) -> &Path {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    parent.unwrap_or_else(|| Path::new("."))
}

/// Whether two paths lead to the same place.
fn is_same(one: &Path, other: &Path, is_here: bool) -> bool {
    one == other || is_here && whole(one).is_some_and(|one| whole(other) == Some(one))
}

/// Without links, also if nothing is there yet.
fn whole(path: &Path) -> Option<PathBuf> {
    let in_folder = || Some(folder_of(path).canonicalize().ok()?.join(path.file_name()?));
    path.canonicalize().ok().or_else(in_folder)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    use super::super::Surroundings;
    use super::*;

    /// What is told of a configuration, whatever is on this machine.
    fn told(text: &str) -> String {
        Config::parse(text.as_bytes(), Path::new("/etc/mqtt/mqtt.toml"))
            .1
            .to_string()
    }

    #[test]
    fn paths_that_are_too_long_for_a_socket_are_refused() {
        let path = |bytes: usize| format!("/{}", "a".repeat(bytes - 1));
        assert_eq!(told(&format!("[[listener]]\naddress = 'unix:{}'", path(100))), "");
        assert!(told(&format!("[[listener]]\naddress = 'unix:{}'", path(108))).contains("too long"));
        assert!(told(&format!("control = '{}'", path(108))).contains("too long"));
        assert_eq!(told(&format!("control = '/{}'", path(100))), "");
        assert!(told(&format!("control = '{}/c'", path(100))).contains("too long"));
    }

    /// What is told of a file with this text, in a folder that has a file, a folder and a socket.
    fn told_here(text: &str) -> String {
        let folder = tempfile::tempdir().expect("there is room for a folder");
        let at = |name: &str| folder.path().join(name);
        fs::write(at("file"), "").expect("there is room for a file");
        fs::create_dir(at("folder")).expect("there is room for a folder");
        symlink(at("folder"), at("link")).expect("there is room for a link");
        drop(UnixListener::bind(at("socket")).expect("there is room for a socket"));
        fs::write(at("mqtt.toml"), text).expect("there is room for a file");
        let surroundings = Surroundings {
            open_files_max: None,
            has_files: true,
        };
        Config::load(&at("mqtt.toml"), surroundings).1.to_string()
    }

    #[test]
    fn what_is_in_the_way_of_the_store_and_the_sockets_is_told() {
        let paths = |store: &str, control: &str, listener: &str| {
            told_here(&format!(
                "control = '{control}'\n[persistence]\npath = '{store}'\n[[listener]]\naddress = 'unix:{listener}'"
            ))
        };
        for (store, control, listener) in [
            ("file", "socket", "a"),
            ("a", "b", "socket"),
            ("folder/a", "folder/b", "link/c"),
        ] {
            assert_eq!(paths(store, control, listener), "");
        }
        for (wrong, why) in [
            (paths("folder", "a", "b"), "persistence.path: "),
            (paths("socket", "a", "b"), "persistence.path: "),
            (paths("file/a", "a", "b"), "it cannot be looked at"),
            (paths("a", "file", "b"), "something else than a socket is there"),
            (paths("a", "folder", "b"), "something else than a socket is there"),
            (paths("a", "b", "file"), "something else than a socket is there"),
            (
                paths("a", "folder/b", "link/b"),
                "belongs to listener[1].address already",
            ),
        ] {
            assert_eq!(wrong.matches(" error: ").count(), 1, "{wrong}");
            assert!(wrong.contains(why), "{why:?} is missing in: {wrong}");
        }
        // It may be made before the broker starts.
        for told in [
            paths("nowhere/a", "a", "b"),
            paths("a", "nowhere/b", "b"),
            paths("a", "b", "nowhere/c"),
        ] {
            assert_eq!(
                (told.matches(" error: ").count(), told.matches(" warning: ").count()),
                (0, 1),
                "{told}"
            );
            assert!(told.contains("its folder does not exist"), "{told}");
        }
    }
}
