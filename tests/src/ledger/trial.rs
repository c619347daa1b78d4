//! Running trials, and noting what each of them covers.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use super::{Layer, Row, row};

thread_local! {
    /// The rows that the trial on this thread has covered so far; none outside of a trial.
    static CURRENT: RefCell<Option<BTreeSet<&'static str>>> = const { RefCell::new(None) };
}

/// Notes that the trial which is running has shown what a row demands.
///
/// # Panics
/// On an id that no table has, and outside of a trial.
pub fn covers(id: &str) {
    let Some(row) = row(id) else {
        panic!("no table has a row {id}")
    };
    CURRENT.with_borrow_mut(|current| match current {
        Some(covered) => covered.insert(row.id.as_str()),
        None => panic!("{id} is covered outside of a trial"),
    });
}

/// A test that can cover rows.
pub struct Trial {
    /// The layer on which it stands; it can cover rows of this layer alone.
    pub layer: Layer,
    /// Its name, which is unique.
    pub name: String,
    run: Box<dyn FnOnce() + Send>,
}

impl Trial {
    /// A test on a layer. It fails by panicking.
    pub fn new(layer: Layer, name: impl Into<String>, run: impl FnOnce() + Send + 'static) -> Self {
        Self {
            layer,
            name: format!("{}::{}", layer.name(), name.into()),
            run: Box::new(run),
        }
    }
}

impl std::fmt::Debug for Trial {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Trial")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// What the trials of one run covered.
#[derive(Debug, Default)]
pub struct Ledger {
    trials: Mutex<BTreeMap<String, (Layer, BTreeSet<&'static str>)>>,
}

impl Ledger {
    /// Runs a trial and notes its rows if it passes. Trials may run on several threads.
    ///
    /// # Panics
    /// As the trial does, and when two trials have one name.
    pub fn run(&self, trial: Trial) {
        CURRENT.set(Some(BTreeSet::new()));
        (trial.run)();
        let covered = CURRENT.take().unwrap_or_default();
        let earlier = self.lock().insert(trial.name, (trial.layer, covered));
        assert!(earlier.is_none(), "two trials have this name");
    }

    /// What each trial covered, in a line: its layer, its name and its rows, apart by tabs.
    #[must_use]
    pub fn lines(&self) -> String {
        let trials = self.lock();
        let lines = trials.iter().map(|(name, (layer, rows))| {
            let rows: String = rows.iter().map(|row| format!("\t{row}")).collect();
            format!("{}\t{name}{rows}\n", layer.name())
        });
        lines.collect()
    }

    /// Takes what [`lines`](Self::lines) has written of another run.
    ///
    /// # Errors
    /// The first line that names no layer, no trial or no row, or that says of a trial something else than an earlier one.
    pub fn take(&self, lines: &str) -> Result<(), String> {
        for line in lines.lines() {
            let mut cells = line.split('\t');
            let layer = cells
                .next()
                .and_then(|name| Layer::ALL.into_iter().find(|layer| layer.name() == name));
            let (Some(layer), Some(name)) = (layer, cells.next()) else {
                return Err(line.to_owned());
            };
            let rows: Option<BTreeSet<&'static str>> = cells.map(|id| row(id).map(|row| row.id.as_str())).collect();
            let known = (layer, rows.ok_or_else(|| line.to_owned())?);
            // Two binaries may run one trial, which says the same in both.
            let earlier = self.lock().insert(name.to_owned(), known.clone());
            if earlier.is_some_and(|earlier| earlier != known) {
                return Err(line.to_owned());
            }
        }
        Ok(())
    }

    /// The trials that touch a row, in the order of their names.
    #[must_use]
    pub fn trials_touching(&self, row: &Row) -> Vec<String> {
        self.named(|_, covered| covered.contains(row.id.as_str()))
    }

    /// The trials on a layer that cover a row.
    #[must_use]
    pub fn trials_covering(&self, row: &Row, layer: Layer) -> Vec<String> {
        self.named(|on, covered| on == layer && covered.contains(row.id.as_str()))
    }

    /// The trials that claim more rows than `limit`.
    #[must_use]
    pub fn trials_with_more_rows_than(&self, limit: usize) -> Vec<String> {
        self.named(|_, covered| covered.len() > limit)
    }

    fn named(&self, choose: impl Fn(Layer, &BTreeSet<&'static str>) -> bool) -> Vec<String> {
        let trials = self.lock();
        trials
            .iter()
            .filter(|(_, (layer, rows))| choose(*layer, rows))
            .map(|(name, _)| name.clone())
            .collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, (Layer, BTreeSet<&'static str>)>> {
        self.trials.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
