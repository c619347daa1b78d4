//! What a file knows of a password.

use std::fmt::{self, Display};
use std::num::NonZeroU32;

use argon2::password_hash::{self, PasswordHasher, phc::PasswordHash};
use argon2::{Algorithm, Argon2, Params, Version};
use base64ct::{Base64, Encoding};
use ring::{digest, pbkdf2};
use subtle::ConstantTimeEq;

/// The most that PBKDF2 may repeat: about a second.
pub(super) const ITERATIONS_MAX: u32 = 1_000_000;
/// The most memory that Argon2 may take, in KiB.
pub(super) const ARGON2_MEMORY_MAX: u32 = 256 * 1024;
/// The most that Argon2 may do: KiB of memory by passes over it, about a second.
pub(super) const ARGON2_WORK_MAX: u64 = 1 << 20;
/// The most lanes, each of which costs a little.
const ARGON2_LANES_MAX: u32 = 16;
const SHA512_BYTES: usize = 64;
const SALT_BYTES_MAX: usize = 64;

/// What a file knows of a password.
///
/// | begins with | is | made by |
/// |---|---|---|
/// | `$argon2id$`, `$argon2i$`, `$argon2d$` | Argon2, as a PHC string | `mqtt passwd` |
/// | `$7$` | PBKDF2 with HMAC-SHA512: `$7$iterations$salt$hash` | `mosquitto_passwd` |
/// | `$6$` | SHA-512 of password and salt, once: `$6$salt$hash` | `mosquitto_passwd -H sha512` |
#[derive(Clone)]
pub struct Secret(Kind);

#[derive(Clone)]
enum Kind {
    Argon2 {
        settings: Box<Argon2<'static>>,
        salt: Vec<u8>,
        hash: Vec<u8>,
    },
    Pbkdf2 {
        iterations: NonZeroU32,
        salt: Vec<u8>,
        hash: Vec<u8>,
    },
    Sha512 {
        salt: Vec<u8>,
        hash: Vec<u8>,
    },
}

impl Secret {
    /// Whether it is the same line of a file. The same password, hashed again, is another one.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.0.made() == other.0.made()
    }
}

impl Kind {
    fn made(&self) -> (&[u8], &[u8]) {
        match self {
            Self::Argon2 { salt, hash, .. } | Self::Pbkdf2 { salt, hash, .. } | Self::Sha512 { salt, hash } => {
                (salt, hash)
            }
        }
    }
}

impl fmt::Debug for Secret {
    /// Which kind, and no more: this may get into a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Kind::Argon2 { .. } => "Secret(argon2)",
            Kind::Pbkdf2 { .. } => "Secret(pbkdf2)",
            Kind::Sha512 { .. } => "Secret(sha512)",
        })
    }
}

/// Why a hash cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretFault {
    /// It has no kind that is known.
    UnknownKind,
    /// It is cut off or damaged.
    Malformed,
    /// A login with it would cost too much.
    TooCostly,
}

impl Display for SecretFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownKind => f.write_str("the password is no hash that begins with $argon2id$, $7$ or $6$"),
            Self::Malformed => f.write_str("the hash of the password is cut off or damaged"),
            Self::TooCostly => write!(
                f,
                "a login would cost too much (at most {ITERATIONS_MAX} iterations, or {} MiB with memory times passes of {} MiB)",
                ARGON2_MEMORY_MAX / 1024,
                ARGON2_WORK_MAX / 1024,
            ),
        }
    }
}

impl Secret {
    /// Reads a hash as it stands in a file.
    ///
    /// # Errors
    /// If its kind is not known, or it is damaged, or a login with it would take more than about a second.
    pub fn parse(text: &str) -> Result<Self, SecretFault> {
        let kind = if let Some(rest) = text.strip_prefix("$6$") {
            let (salt, hash) = salt_and_hash(rest)?;
            Kind::Sha512 { salt, hash }
        } else if let Some(rest) = text.strip_prefix("$7$") {
            let (iterations, rest) = rest.split_once('$').ok_or(SecretFault::Malformed)?;
            let iterations: NonZeroU32 = iterations.parse().map_err(|_| SecretFault::Malformed)?;
            if iterations.get() > ITERATIONS_MAX {
                return Err(SecretFault::TooCostly);
            }
            let (salt, hash) = salt_and_hash(rest)?;
            Kind::Pbkdf2 { iterations, salt, hash }
        } else if text.starts_with("$argon2") {
            parse_argon2(text)?
        } else {
            return Err(SecretFault::UnknownKind);
        };
        Ok(Self(kind))
    }

    /// Whether this is the password. Compared in constant time.
    #[must_use]
    pub fn verify(&self, password: &[u8]) -> bool {
        match &self.0 {
            Kind::Argon2 { settings, salt, hash } => {
                let mut found = vec![0; hash.len()];
                let worked_out = settings.hash_password_into(password, salt, &mut found);
                worked_out.is_ok() && found.ct_eq(hash).into()
            }
            Kind::Pbkdf2 { iterations, salt, hash } => {
                pbkdf2::verify(pbkdf2::PBKDF2_HMAC_SHA512, *iterations, salt, password, hash).is_ok()
            }
            Kind::Sha512 { salt, hash } => {
                let mut context = digest::Context::new(&digest::SHA512);
                context.update(password);
                context.update(salt);
                context.finish().as_ref().ct_eq(hash).into()
            }
        }
    }
}

fn salt_and_hash(text: &str) -> Result<(Vec<u8>, Vec<u8>), SecretFault> {
    let decode = |text: &str| Base64::decode_vec(text).map_err(|_| SecretFault::Malformed);
    let (salt, hash) = text.split_once('$').ok_or(SecretFault::Malformed)?;
    let (salt, hash) = (decode(salt)?, decode(hash)?);
    if salt.is_empty() || salt.len() > SALT_BYTES_MAX || hash.len() != SHA512_BYTES {
        return Err(SecretFault::Malformed);
    }
    Ok((salt, hash))
}

fn parse_argon2(text: &str) -> Result<Kind, SecretFault> {
    let parsed = PasswordHash::new(text).map_err(|_| SecretFault::Malformed)?;
    let algorithm = Algorithm::try_from(parsed.algorithm.as_str()).map_err(|_| SecretFault::UnknownKind)?;
    let version = parsed.version.map_or(Ok(Version::V0x10), Version::try_from);
    let version = version.map_err(|_| SecretFault::UnknownKind)?;
    let params = Params::try_from(&parsed).map_err(|_| SecretFault::Malformed)?;
    let work = u64::from(params.m_cost()) * u64::from(params.t_cost());
    if params.m_cost() > ARGON2_MEMORY_MAX || work > ARGON2_WORK_MAX || params.p_cost() > ARGON2_LANES_MAX {
        return Err(SecretFault::TooCostly);
    }
    let (Some(salt), Some(hash)) = (parsed.salt, parsed.hash) else {
        return Err(SecretFault::Malformed);
    };
    let salt: &[u8] = salt.as_ref();
    if salt.len() < argon2::MIN_SALT_LEN {
        return Err(SecretFault::Malformed);
    }
    Ok(Kind::Argon2 {
        settings: Box::new(Argon2::new(algorithm, version, params)),
        salt: salt.to_vec(),
        hash: hash.as_bytes().to_vec(),
    })
}

/// What a hash, and with it each check of a password, costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// Memory in KiB.
    pub memory_kib: u32,
    /// How often all of it is gone over.
    pub passes: u32,
}

impl Default for Cost {
    /// 19 MiB and two passes.
    fn default() -> Self {
        Self {
            memory_kib: Params::DEFAULT_M_COST,
            passes: Params::DEFAULT_T_COST,
        }
    }
}

impl Cost {
    /// Whether a broker takes what is hashed with it.
    #[must_use]
    pub fn is_bearable(self) -> bool {
        let work = u64::from(self.memory_kib) * u64::from(self.passes);
        let is_known = Params::new(self.memory_kib, self.passes, Params::DEFAULT_P_COST, None).is_ok();
        is_known && self.memory_kib <= ARGON2_MEMORY_MAX && work <= ARGON2_WORK_MAX
    }
}

/// The hash of a password, with a fresh salt: Argon2id with 19 MiB and two passes.
///
/// # Errors
/// If the system gives no random bytes, or no memory.
pub fn hash(password: &[u8]) -> Result<String, password_hash::Error> {
    hash_at(Cost::default(), password)
}

/// The same at another cost.
///
/// # Errors
/// As above, and if Argon2 knows no such cost.
pub fn hash_at(cost: Cost, password: &[u8]) -> Result<String, password_hash::Error> {
    let params = Params::new(cost.memory_kib, cost.passes, Params::DEFAULT_P_COST, None)?;
    let argon2 = Argon2::new(Algorithm::default(), Version::default(), params);
    Ok(argon2.hash_password(password)?.to_string())
}
