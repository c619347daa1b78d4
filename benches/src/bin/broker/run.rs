//! What is measured, pass for pass.

use mqtt_benches::rounds::Contender;

/// Work that can be repeated.
pub trait Work {
    /// Makes it ready for a pass.
    fn prepare(&mut self) {}

    /// One pass. It stops the program if it has not done what it is measured for.
    fn pass(&mut self);

    /// How many messages, or what else the figures are about, a pass is.
    fn items(&self) -> usize;
}

/// A row of a table.
pub struct Row {
    /// Its name on the command line.
    pub slug: String,
    /// Its name in the table.
    pub title: String,
    /// What every item of it is beside the message: deliveries.
    pub deliveries: usize,
    /// Whether its messages are of QoS 0.
    pub is_plain: bool,
    make: Box<dyn Fn() -> Box<dyn Work>>,
}

impl Row {
    pub fn new(slug: impl Into<String>, title: impl Into<String>, make: impl Fn() -> Box<dyn Work> + 'static) -> Self {
        Self {
            slug: slug.into(),
            title: title.into(),
            deliveries: 0,
            is_plain: false,
            make: Box::new(make),
        }
    }

    /// Everything that the work needs is there then.
    pub fn run(&self) -> Run {
        Run((self.make)())
    }
}

/// A row at work.
pub struct Run(Box<dyn Work>);

impl Contender for Run {
    fn prepare(&mut self) {
        self.0.prepare();
    }

    fn pass(&mut self) {
        measured_pass(std::hint::black_box(&mut *self.0));
    }

    fn items(&self) -> usize {
        self.0.items()
    }
}

/// The function that callgrind collects in, found by this name.
#[inline(never)]
fn measured_pass(work: &mut dyn Work) {
    work.pass();
}
