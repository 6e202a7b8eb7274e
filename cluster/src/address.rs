//! A host and port as one node announces it to others.
//!
//! Not a `SocketAddr`: in Kubernetes a replica is known by its DNS name, and its IP address changes
//! whenever it moves.

use std::fmt;
use std::str::FromStr;

/// Where something listens, as others reach it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Address {
    /// A DNS name or an IP address, IPv6 without brackets.
    pub host: String,
    /// The TCP port, never 0.
    pub port: u16,
}

/// The longest name DNS allows, in bytes.
const HOST_BYTES_MAX: usize = 253;

/// A text that is not `host:port`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an address is host:port, with a port from 1 to 65535")]
pub struct BadAddress;

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl FromStr for Address {
    type Err = BadAddress;

    fn from_str(text: &str) -> Result<Address, BadAddress> {
        let (host, port) = text.rsplit_once(':').ok_or(BadAddress)?;
        let host = match host.strip_prefix('[') {
            Some(rest) => rest.strip_suffix(']').ok_or(BadAddress)?,
            None if host.contains(':') => return Err(BadAddress),
            None => host,
        };
        // Spaces, commas and control characters would break the lines of CLUSTER NODES.
        let clean = host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._:%".contains(&b));
        let port = port.parse().map_err(|_| BadAddress)?;
        if host.is_empty() || host.len() > HOST_BYTES_MAX || !clean || port == 0 {
            return Err(BadAddress);
        }
        Ok(Address { host: host.to_owned(), port })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_come_back_as_they_were_written() {
        for text in ["127.0.0.1:7000", "kv-0.kv.default.svc:6379", "[::1]:17000", "h:65535"] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
        }
        for text in
            ["", ":1", "host", "host:", "host:0", "host:65536", "::1:7000", "a b:1", "[::1:7"]
        {
            assert_eq!(text.parse::<Address>(), Err(BadAddress), "{text}");
        }
    }
}
