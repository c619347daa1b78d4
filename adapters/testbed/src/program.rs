//! Foreign programs: where they are, and how they end.

use std::ffi::OsStr;
use std::fmt::Display;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Set where a test without its foreign program is to fail.
const REQUIRED: &str = "MQTT_REQUIRE_PEERS";

/// A test cannot be made here, in whole or in part: it says so where the harness does not hide it, and passes.
///
/// # Panics
/// If the environment says that everything is to be tried.
pub fn skipped(why: impl Display) {
    assert!(std::env::var_os(REQUIRED).is_none(), "{REQUIRED} is set, and {why}");
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    // Where nobody reads it, the test goes on.
    let _ = writeln!(io::stderr(), "skipped: {test}: {why}");
}

/// Says that there is no such program here.
///
/// # Panics
/// As [`skipped`].
pub(crate) fn absent<T>(program: &str) -> Option<T> {
    skipped(format_args!("there is no {program} on this machine"));
    None
}

/// The first of these programs that there is, or nothing with a printed reason. An absolute path has to be a file, and a name
/// is looked for in the path of programs and where Debian has servers.
pub(crate) fn find(names: &[&str]) -> Option<PathBuf> {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = std::env::split_paths(&folders)
        .chain(["/usr/sbin".into(), "/usr/local/sbin".into()])
        .collect();
    // Joining an absolute path gives that path.
    let mut places = names
        .iter()
        .flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    places.find(|place| place.is_file()).or_else(|| absent(names[0]))
}

/// A folder below `peers` in cargo's target folder, where `.ci/run tools` installs what is not in Debian; or nothing with a
/// printed reason.
pub(crate) fn installed(folder: &str) -> Option<PathBuf> {
    let program = std::env::current_exe().expect("the system tells which program this is");
    let mut places = program.ancestors().map(|place| place.join("peers").join(folder));
    places.find(|place| place.is_dir()).or_else(|| absent(folder))
}

/// A script beside the sources of this crate.
pub(crate) fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("peers").join(name)
}

/// Starts the program, and ends it when its input does: also when this process is killed.
const WATCH: &str = r#"
exec 3<&0
"$@" <"$TESTBED_INPUT" 3<&- &
program=$!
{ read -r _; kill -9 "$program"; } <&3 2>/dev/null &
watch=$!
wait "$program"
status=$?
kill "$watch" 2>/dev/null
exit "$status"
"#;

/// A foreign program that runs. It ends with this value at the latest, and with this process.
#[derive(Debug)]
pub(crate) struct Program {
    name: String,
    shell: Child,
    lifeline: Option<ChildStdin>,
    folder: TempDir,
}

impl Program {
    /// Starts a program that reads this.
    pub(crate) fn start(program: &Path, input: &[u8], prepare: impl FnOnce(&mut Command)) -> io::Result<Self> {
        let folder = TempDir::new()?;
        let input_file = folder.path().join("input");
        File::create(&input_file)?.write_all(input)?;
        let mut command = Command::new("sh");
        command.args([
            OsStr::new("-c"),
            OsStr::new(WATCH),
            OsStr::new("sh"),
            program.as_os_str(),
        ]);
        prepare(&mut command);
        command
            .env("TESTBED_INPUT", input_file)
            .stdin(Stdio::piped())
            .stdout(File::create(folder.path().join("output"))?)
            .stderr(File::create(folder.path().join("errors"))?);
        let mut shell = command.spawn()?;
        Ok(Self {
            name: program.display().to_string(),
            lifeline: shell.stdin.take(),
            shell,
            folder,
        })
    }

    /// The number of its process, which is the shell's child, where the system tells.
    pub(crate) fn process(&self) -> Option<u32> {
        let shell = self.shell.id();
        let children = fs::read_to_string(format!("/proc/{shell}/task/{shell}/children")).ok()?;
        let is_it = |child: &u32| {
            let name = fs::read_to_string(format!("/proc/{child}/comm")).unwrap_or_default();
            Path::new(&self.name).file_name() == Some(OsStr::new(name.trim_end()))
        };
        children
            .split_whitespace()
            .filter_map(|child| child.parse().ok())
            .find(is_it)
    }

    /// How it has ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.shell.try_wait().expect("it is this process's own")
    }

    /// What it has printed so far.
    pub(crate) fn output(&self) -> String {
        self.read("output")
    }

    fn read(&self, file: &str) -> String {
        let bytes = fs::read(self.folder.path().join(file)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// What there is to be said about a program that did not do as it should.
    pub(crate) fn report(&self) -> String {
        format!("{}\n{}{}", self.name, self.output(), self.read("errors"))
    }

    /// Waits in this thread until something can be done with it.
    ///
    /// # Panics
    /// If it ends before, or takes too long.
    pub(crate) fn wait_until<T>(&mut self, within: Duration, mut done: impl FnMut() -> Option<T>) -> T {
        let until = Instant::now() + within;
        loop {
            if let Some(value) = done() {
                return value;
            }
            assert!(self.ended().is_none(), "it has ended: {}", self.report());
            assert!(Instant::now() < until, "it takes too long: {}", self.report());
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        drop(self.lifeline.take());
        let _ = self.shell.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_ends_with_its_value() {
        let sleep = find(&["sleep"]).expect("every system has it");
        let before = Instant::now();
        let mut program = Program::start(&sleep, b"", |command| {
            command.arg("60");
        })
        .unwrap();
        assert!(program.ended().is_none());
        drop(program);
        assert!(before.elapsed() < Duration::from_secs(30));
    }

    #[test]
    fn a_program_reads_its_input_and_tells_its_end() {
        let shell = find(&["sh"]).expect("every system has it");
        let mut program = Program::start(&shell, b"echo said; exit 3", |_| {}).unwrap();
        let until = Instant::now() + Duration::from_secs(30);
        let status = loop {
            if let Some(status) = program.ended() {
                break status;
            }
            assert!(Instant::now() < until);
        };
        assert_eq!((status.code(), program.output().as_str()), (Some(3), "said\n"));
    }
}
