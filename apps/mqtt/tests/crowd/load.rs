//! `mqtt bench` as the load: it runs beside the test.

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

/// A load that runs. It ends with this value.
pub(crate) struct Load(Option<Child>);

impl Load {
    pub(crate) fn start(address: SocketAddr, options: &str) -> Self {
        let child = Command::new(env!("CARGO_BIN_EXE_mqtt"))
            .args(["bench", "--json", "--quiet", "--connect", &address.to_string()])
            .args(options.split_whitespace())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        Self(Some(child.expect("the program runs")))
    }

    /// Waits for its results. All that was sent has come to those that read, once.
    pub(crate) fn figures(mut self) -> Value {
        let child = self.0.take().expect("it has not ended");
        let output = child.wait_with_output().expect("it ends");
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{told}");
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {told}"))
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// One of its results.
pub(crate) fn number(figures: &Value, path: &str) -> f64 {
    let value = figures.pointer(path).and_then(Value::as_f64);
    value.unwrap_or_else(|| panic!("{path} is a number in {figures}"))
}
