//! The smallest script that still shows what a larger one showed.

use super::script::Script;

/// Leaves out steps, and filters of a SUBSCRIBE, as long as what is looked for is still there.
#[must_use]
pub fn shrink(script: &Script, still_shows: impl Fn(&Script) -> bool) -> Script {
    let mut smallest = script.clone();
    let mut len = smallest.steps.len() / 2;
    while len > 0 {
        let mut from = 0;
        while from + len <= smallest.steps.len() {
            let mut smaller = smallest.clone();
            smaller.steps.drain(from..from + len);
            if still_shows(&smaller) {
                smallest = smaller;
            } else {
                from += len;
            }
        }
        len /= 2;
    }
    simpler_subscriptions(smallest, still_shows)
}

fn simpler_subscriptions(mut smallest: Script, still_shows: impl Fn(&Script) -> bool) -> Script {
    for step in 0..smallest.steps.len() {
        let mut place = 0;
        loop {
            let mut smaller = smallest.clone();
            let super::script::Action::Subscribe { filters, .. } = &mut smaller.steps[step].action else {
                break;
            };
            if filters.len() < 2 || place >= filters.len() {
                break;
            }
            filters.remove(place);
            if still_shows(&smaller) {
                smallest = smaller;
            } else {
                place += 1;
            }
        }
    }
    smallest
}
