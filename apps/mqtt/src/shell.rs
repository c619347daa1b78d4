//! What shells and `man` know of the program.

use std::fs;
use std::io;
use std::path::Path;

use clap::CommandFactory;
use clap_complete::Shell;

use crate::Ending;
use crate::cli::Cli;
use crate::screen::print;

/// Prints a completion script.
pub(crate) fn complete(shell: Shell) -> Result<(), Ending> {
    // It takes no failure to write for one, and ends by a panic.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "mqtt", &mut script);
    Ok(print(String::from_utf8_lossy(&script))?)
}

/// Writes a page for the program and one for each command.
pub(crate) fn manual(folder: &Path) -> Result<(), Ending> {
    let refused = |error: io::Error| Ending::failed(format_args!("{}: {error}", folder.display()));
    fs::create_dir_all(folder).map_err(refused)?;
    clap_mangen::generate_to(Cli::command(), folder).map_err(refused)
}
