//! What rumqttc does with a server: `rumqttc-walk PORT VERSION`.

#![allow(clippy::duplicate_mod, reason = "the same walk, in the types of each version")]

type Error = Box<dyn std::error::Error>;

const MEBIBYTE: usize = 1 << 20;

mod v3_1_1;
mod v5;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let mut arguments = std::env::args().skip(1);
    let port = arguments.next().ok_or("a port is missing")?.parse()?;
    match arguments.next().as_deref() {
        Some("3.1.1") => v3_1_1::walk::everything(port).await?,
        Some("5.0") => v5::walk::everything(port).await?,
        _ => return Err("the version is 3.1.1 or 5.0".into()),
    }
    println!("done");
    Ok(())
}
