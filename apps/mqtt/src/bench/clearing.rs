//! What a run leaves at the broker is taken away, however the run ended.

use super::arguments::BenchArguments;
use super::dialing::Dialer;
use super::preparing::publish_retained;
use super::screen::Screen;
use crate::Ending;

/// Takes away all that was left, as far as that can be. The first thing that cannot be is told.
pub(super) fn clear(arguments: &BenchArguments, dialer: &Dialer<'_>, screen: &Screen) -> Result<(), Ending> {
    let messages = match dialer.left.retained.get() {
        0 => Ok(()),
        count => publish_retained(arguments, dialer, screen, count, 0),
    };
    messages.and(end_sessions(dialer))
}

/// A clean start, and an end with the connection.
fn end_sessions(dialer: &Dialer<'_>) -> Result<(), Ending> {
    for number in 0..dialer.left.sessions.get() {
        dialer.connect(&dialer.name("sub", number))?;
    }
    Ok(())
}
