//! Values of options.

use std::time::Duration;

use mqtt_tokio::QoS;
use mqtt_tokio::session::proto::Version;

/// A version, by any name that is in use.
pub(crate) fn version(text: &str) -> Result<Version, String> {
    match text {
        "5" | "5.0" | "v5" | "mqttv5" | "mqttv50" => Ok(Version::V5),
        "311" | "3.1.1" | "4" | "mqttv311" => Ok(Version::V3_1_1),
        "31" | "3.1" | "3" | "mqttv31" => Ok(Version::V3_1),
        _ => Err("it is 5, 3.1.1 or 3.1 (mqttv5, mqttv311 or mqttv31)".to_owned()),
    }
}

/// A quality of service.
pub(crate) fn qos(text: &str) -> Result<QoS, String> {
    match text {
        "0" => Ok(QoS::AtMostOnce),
        "1" => Ok(QoS::AtLeastOnce),
        "2" => Ok(QoS::ExactlyOnce),
        _ => Err("it is 0, 1 or 2".to_owned()),
    }
}

/// Seconds, perhaps with a fraction.
pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse::<f64>().ok();
    let time = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    time.ok_or_else(|| "it is a number of seconds, such as 2 or 0.5".to_owned())
}

/// How long a session lives: seconds, or for ever.
pub(crate) fn session_expiry(text: &str) -> Result<u32, String> {
    match text {
        "-1" | "∞" => Ok(u32::MAX),
        text => text
            .parse()
            .map_err(|_| "it is a number of seconds up to 4294967295, or -1 for ever".to_owned()),
    }
}

/// The SHA-256 sum of a certificate, as `openssl x509 -fingerprint -sha256` shows it.
pub(crate) fn fingerprint(text: &str) -> Result<[u8; 32], String> {
    let text = text.rsplit('=').next().unwrap_or(text);
    let digits: String = text.chars().filter(|character| *character != ':').collect();
    let sum = data_encoding::HEXLOWER_PERMISSIVE.decode(digits.as_bytes()).ok();
    sum.and_then(|sum| <[u8; 32]>::try_from(sum).ok())
        .ok_or_else(|| "it is 32 bytes in hexadecimal, as `openssl x509 -fingerprint -sha256` prints them".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_have_the_names_that_other_clients_give_them() {
        for name in ["5", "mqttv5", "5.0"] {
            assert_eq!(version(name), Ok(Version::V5), "{name}");
        }
        for name in ["311", "mqttv311", "3.1.1"] {
            assert_eq!(version(name), Ok(Version::V3_1_1), "{name}");
        }
        for name in ["31", "mqttv31", "3.1"] {
            assert_eq!(version(name), Ok(Version::V3_1), "{name}");
        }
        assert!(version("6").is_err());
    }

    #[test]
    fn seconds_are_positive_numbers() {
        assert_eq!(seconds("0.5"), Ok(Duration::from_millis(500)));
        for wrong in ["-1", "x", "NaN", "inf", "1e300", ""] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_session_for_ever_has_three_names() {
        for name in ["-1", "∞", "4294967295"] {
            assert_eq!(session_expiry(name), Ok(u32::MAX), "{name}");
        }
        assert_eq!(session_expiry("0"), Ok(0));
        assert!(session_expiry("4294967296").is_err() && session_expiry("-2").is_err());
    }

    #[test]
    fn a_fingerprint_is_taken_as_openssl_prints_it() {
        let sum = "AB:".repeat(31) + "cd";
        let expected = fingerprint(&format!("sha256 Fingerprint={sum}"));
        assert_eq!(expected.map(|sum| (sum[0], sum[31])), Ok((0xAB, 0xCD)));
        assert!(fingerprint("AB:CD").is_err() && fingerprint("zz").is_err());
    }
}
