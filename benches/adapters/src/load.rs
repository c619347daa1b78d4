//! What a client has to do, and what it has used for it.

use std::error::Error;
use std::fmt;
use std::str::FromStr;
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

/// Why a run has failed.
pub type Failed = Box<dyn Error + Send + Sync>;

/// The topic of every message.
pub const TOPIC: &str = "plant/7/line/3/temperature";
/// How long every payload is.
pub const PAYLOAD_BYTES: usize = 64;

/// How the messages come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// As fast as they are taken.
    Saturated,
    /// So many a second, in portions of a millisecond.
    Offered(u32),
    /// The next one when the one before is acknowledged.
    OneByOne,
}

/// One run of one client.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// The quality of service.
    pub qos: u8,
    /// How many messages may be unacknowledged.
    pub window: u16,
    /// How many messages there are.
    pub messages: u32,
    /// How they come.
    pub pace: Pace,
}

impl Load {
    /// As arguments of the program that plays a client.
    pub fn to_args(self) -> Vec<String> {
        let pace = match self.pace {
            Pace::Saturated => "saturated".to_owned(),
            Pace::Offered(rate) => rate.to_string(),
            Pace::OneByOne => "one-by-one".to_owned(),
        };
        vec![
            self.qos.to_string(),
            self.window.to_string(),
            self.messages.to_string(),
            pace,
        ]
    }

    /// Reads what [`to_args`](Self::to_args) wrote.
    pub fn from_args(args: &[String]) -> Option<Self> {
        let [qos, window, messages, pace] = args else {
            return None;
        };
        Some(Self {
            qos: qos.parse().ok()?,
            window: window.parse().ok()?,
            messages: messages.parse().ok()?,
            pace: match pace.as_str() {
                "saturated" => Pace::Saturated,
                "one-by-one" => Pace::OneByOne,
                rate => Pace::Offered(rate.parse().ok()?),
            },
        })
    }

    /// When the next portion of an offered load is due, and how many messages it has.
    pub fn portions(self) -> impl Iterator<Item = (Duration, u32)> {
        let rate = match self.pace {
            Pace::Offered(rate) => rate,
            _ => u32::MAX,
        };
        let portion = (rate / 1000).max(1).min(self.messages);
        let every = Duration::from_secs_f64(f64::from(portion) / f64::from(rate));
        let mut left = self.messages;
        (0..).map_while(move |number: u32| {
            let count = portion.min(left);
            left -= count;
            (count > 0).then(|| (every * number, count))
        })
    }
}

/// What a run has used.
#[derive(Clone, Debug, Default)]
pub struct Used {
    /// For so many messages.
    pub messages: f64,
    /// From the first message to the last acknowledgement.
    pub wall_micros: f64,
    /// In the program.
    pub user_micros: f64,
    /// In the kernel.
    pub system_micros: f64,
    /// How long single messages took, in microseconds, if that was asked for: the middle, and what 99 of 100 stay below.
    pub latency: Option<(f64, f64)>,
}

impl fmt::Display for Used {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (p50, p99) = self.latency.unwrap_or_default();
        write!(
            f,
            "{} {} {} {p50} {p99}",
            self.wall_micros, self.user_micros, self.system_micros
        )
    }
}

impl FromStr for Used {
    type Err = String;

    fn from_str(line: &str) -> Result<Self, String> {
        let numbers: Result<Vec<f64>, _> = line.split_whitespace().map(str::parse).collect();
        match numbers.as_deref() {
            Ok(&[wall_micros, user_micros, system_micros, p50, p99]) => Ok(Self {
                messages: 0.0,
                wall_micros,
                user_micros,
                system_micros,
                latency: (p50 > 0.0).then_some((p50, p99)),
            }),
            _ => Err(format!("no result of a run: {line:?}")),
        }
    }
}

/// Measures a run in the process that makes it.
pub struct Meter {
    began: Instant,
    user: f64,
    system: f64,
    latencies: Vec<f64>,
}

impl Meter {
    /// Begins now.
    pub fn start() -> Self {
        let (user, system) = cpu_micros();
        Self {
            began: Instant::now(),
            user,
            system,
            latencies: Vec::new(),
        }
    }

    /// A message took so long.
    pub fn took(&mut self, time: Duration) {
        self.latencies.push(time.as_secs_f64() * 1e6);
    }

    /// Ends now.
    pub fn stop(mut self) -> Used {
        let wall_micros = self.began.elapsed().as_secs_f64() * 1e6;
        let (user, system) = cpu_micros();
        self.latencies.sort_by(f64::total_cmp);
        let at = |share: f64| self.latencies[(share * (self.latencies.len() - 1) as f64).round() as usize];
        Used {
            messages: 0.0,
            wall_micros,
            user_micros: user - self.user,
            system_micros: system - self.system,
            latency: (!self.latencies.is_empty()).then(|| (at(0.5), at(0.99))),
        }
    }
}

fn cpu_micros() -> (f64, f64) {
    let used = getrusage(UsageWho::RUSAGE_SELF).expect("a process may ask for its own usage");
    (
        used.user_time().num_microseconds() as f64,
        used.system_time().num_microseconds() as f64,
    )
}
