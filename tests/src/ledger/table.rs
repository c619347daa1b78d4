//! The tables of `data/`, parsed once.

use std::collections::BTreeMap;
use std::sync::OnceLock;

/// The part of the software that a row speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Layer {
    /// Bytes to packets and back.
    Codec,
    /// One connection or session, either end.
    Session,
    /// What a broker does across sessions.
    Broker,
    /// What carries the bytes.
    Transport,
    /// Sockets, timers, files.
    Adapter,
    /// What the user of the library decides.
    Application,
}

impl Layer {
    /// Every layer, innermost first.
    pub const ALL: [Self; 6] = [
        Self::Codec,
        Self::Session,
        Self::Broker,
        Self::Transport,
        Self::Adapter,
        Self::Application,
    ];

    /// The name in the tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Codec => "codec",
            Self::Session => "session",
            Self::Broker => "broker",
            Self::Transport => "transport",
            Self::Adapter => "adapter",
            Self::Application => "application",
        }
    }

    fn from_name(name: &str) -> Self {
        Self::ALL
            .into_iter()
            .find(|layer| layer.name() == name)
            .unwrap_or_else(|| panic!("no layer is called {name}"))
    }
}

/// A table of `data/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    /// The numbered statements of MQTT 5.0.
    V5,
    /// The numbered statements of MQTT 3.1.1.
    V3_1_1,
    /// Rules of MQTT 5.0 without a number.
    Unnumbered,
    /// Faults of other software on bad input.
    BadInputs,
    /// Faults of other engines.
    Regressions,
}

impl Table {
    /// Every table.
    pub const ALL: [Self; 5] = [
        Self::V5,
        Self::V3_1_1,
        Self::Unnumbered,
        Self::BadInputs,
        Self::Regressions,
    ];

    /// What the table holds, for headings.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::V5 => "MQTT 5.0, numbered statements",
            Self::V3_1_1 => "MQTT 3.1.1, numbered statements",
            Self::Unnumbered => "MQTT 5.0, rules without a number",
            Self::BadInputs => "Bad input that broke other software",
            Self::Regressions => "Faults of other engines",
        }
    }

    const fn prefix(self) -> &'static str {
        match self {
            Self::V5 => "v5:",
            Self::V3_1_1 => "v311:",
            Self::Unnumbered => "u5:",
            Self::BadInputs | Self::Regressions => "",
        }
    }

    const fn text(self) -> &'static str {
        match self {
            Self::V5 => include_str!("../../data/mqtt5-statements.tsv"),
            Self::V3_1_1 => include_str!("../../data/mqtt311-statements.tsv"),
            Self::Unnumbered => include_str!("../../data/mqtt5-unnumbered.tsv"),
            Self::BadInputs => include_str!("../../data/bad-inputs.tsv"),
            Self::Regressions => include_str!("../../data/regressions.tsv"),
        }
    }

    /// The column that says in one sentence what has to hold.
    const fn summary_column(self) -> &'static str {
        match self {
            Self::V5 | Self::V3_1_1 | Self::Unnumbered => "summary",
            Self::BadInputs => "must_do",
            Self::Regressions => "scenario",
        }
    }
}

/// One statement, rule or known fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The qualified id.
    pub id: String,
    /// Where it stands.
    pub table: Table,
    /// Whom it binds; `-` where the table does not say.
    pub role: &'static str,
    /// The layers that have to answer for it; more than one where each holds a part.
    pub layers: Vec<Layer>,
    /// What has to hold.
    pub summary: &'static str,
}

/// All rows of all tables, in the order of the files.
#[must_use]
pub fn rows() -> &'static [Row] {
    static ROWS: OnceLock<Vec<Row>> = OnceLock::new();
    ROWS.get_or_init(|| Table::ALL.into_iter().flat_map(parse).collect())
}

/// The row with a qualified id.
#[must_use]
pub fn row(id: &str) -> Option<&'static Row> {
    static BY_ID: OnceLock<BTreeMap<&'static str, &'static Row>> = OnceLock::new();
    BY_ID
        .get_or_init(|| {
            let mut by_id = BTreeMap::new();
            for row in rows() {
                assert!(
                    by_id.insert(row.id.as_str(), row).is_none(),
                    "two rows are called {}",
                    row.id
                );
            }
            by_id
        })
        .get(id)
        .copied()
}

fn parse(table: Table) -> Vec<Row> {
    let mut lines = table.text().lines();
    let columns: Vec<&str> = lines.next().unwrap_or_default().split('\t').collect();
    lines
        .map(|line| {
            let cells: BTreeMap<&str, &'static str> = columns.iter().copied().zip(line.split('\t')).collect();
            let cell = |name: &str| {
                *cells
                    .get(name)
                    .unwrap_or_else(|| panic!("{table:?} has no {name} in: {line}"))
            };
            Row {
                id: format!("{}{}", table.prefix(), cell("id")),
                table,
                role: cells.get("role").copied().unwrap_or("-"),
                layers: cell("layer").split(',').map(Layer::from_name).collect(),
                summary: cell(table.summary_column()),
            }
        })
        .collect()
}
