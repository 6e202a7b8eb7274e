//! A client of a whole cluster: knows the slots' owners, follows MOVED.
//!
//! Retries nothing by itself except what a MOVED error proves was not executed.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use crate::client::Client;
use crate::resp::{self, Value};

/// Hash slots of a cluster.
pub const SLOTS: u16 = 16_384;
/// More redirects than a settled cluster ever needs.
const REDIRECTS_MAX: usize = 5;

/// What became of a command.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It was answered.
    Answered(Value),
    /// It was certainly not executed: the connection could not be made, or the reply says so.
    NotExecuted(String),
    /// Nobody knows.
    Unknown(String),
}

/// Connections to the nodes of a cluster.
pub struct ClusterClient {
    seeds: Vec<u16>,
    timeout: Duration,
    connections: BTreeMap<u16, Client>,
    /// Ranges of slots and the ports of their nodes, the leader's first.
    owners: Vec<(u16, u16, Vec<u16>)>,
    turn: usize,
}

impl ClusterClient {
    /// A client that learns of the cluster from any of these ports.
    pub fn new(seeds: &[u16], timeout: Duration) -> ClusterClient {
        let mut client = ClusterClient {
            seeds: seeds.to_vec(),
            timeout,
            connections: BTreeMap::new(),
            owners: Vec::new(),
            turn: 0,
        };
        client.learn();
        client
    }

    /// Asks for the slots' owners, of any node that answers.
    pub fn learn(&mut self) {
        for attempt in 0..self.seeds.len() {
            let port = self.seeds[(self.turn + attempt) % self.seeds.len()];
            let slots = self.connection(port).and_then(|c| c.try_call(&["CLUSTER", "SLOTS"]));
            match slots {
                Ok(slots) if !slots.is_error() => {
                    self.owners = slots.items().iter().map(owner).collect();
                    return;
                }
                Ok(_) => {}
                Err(_) => self.forget(port),
            }
        }
    }

    /// Sends a command to the owner of `key`.
    pub fn call(&mut self, key: &[u8], args: &[&[u8]]) -> Outcome {
        let mut port = self.port_of(slot(key));
        for _ in 0..REDIRECTS_MAX {
            let client = match self.connection(port) {
                Ok(client) => client,
                Err(error) => {
                    self.turn += 1;
                    self.learn();
                    return Outcome::NotExecuted(format!("connecting to {port}: {error}"));
                }
            };
            match client.try_call(args) {
                Ok(Value::Error(text)) => match moved_to(&text) {
                    Some(to) => {
                        port = to;
                        self.learn();
                    }
                    None => return from_error(text),
                },
                Ok(value) => return Outcome::Answered(value),
                Err(error) => {
                    self.forget(port);
                    self.turn += 1;
                    self.learn();
                    return Outcome::Unknown(format!("node {port}: {error}"));
                }
            }
        }
        Outcome::NotExecuted(format!("moved more than {REDIRECTS_MAX} times"))
    }

    /// Reads keys in one pipeline a node; the answers in the keys' order.
    ///
    /// For a settled cluster: an error is an answer here.
    pub fn get_all(&mut self, keys: &[String]) -> Vec<Value> {
        let mut of_port: BTreeMap<u16, Vec<usize>> = BTreeMap::new();
        for (index, key) in keys.iter().enumerate() {
            of_port.entry(self.port_of(slot(key.as_bytes()))).or_default().push(index);
        }
        let mut values = vec![Value::Null; keys.len()];
        for (port, indexes) in of_port {
            let mut requests = Vec::new();
            for &index in &indexes {
                resp::request(&["GET", &keys[index]], &mut requests);
            }
            let client = self.connection(port).expect("a running node accepts connections");
            let replies =
                client.pipeline(&requests, indexes.len()).expect("a running node answers");
            for (index, reply) in indexes.into_iter().zip(replies) {
                values[index] = resp::decode(&reply).expect("a whole reply").0;
            }
        }
        values
    }

    /// The ports of a slot's nodes, the leader's first.
    pub fn ports_of(&self, slot: u16) -> &[u16] {
        let range = self.owners.iter().find(|(from, to, _)| (*from..=*to).contains(&slot));
        range.map(|(_, _, ports)| ports.as_slice()).unwrap_or_default()
    }

    /// The port to ask for a slot: its leader's; after a failure its other nodes' in turn.
    fn port_of(&self, slot: u16) -> u16 {
        let ports = match self.ports_of(slot) {
            [] => &self.seeds,
            ports => ports,
        };
        let connected = ports.iter().position(|port| self.connections.contains_key(port));
        ports[connected.unwrap_or(self.turn % ports.len())]
    }

    fn connection(&mut self, port: u16) -> io::Result<&mut Client> {
        if !self.connections.contains_key(&port) {
            let client = Client::connect_within(port, self.timeout)?;
            self.connections.insert(port, client);
        }
        Ok(self.connections.get_mut(&port).expect("just inserted"))
    }

    fn forget(&mut self, port: u16) {
        self.connections.remove(&port);
    }
}

/// An error reply: ours say by their first word whether the outcome is unknown.
fn from_error(text: String) -> Outcome {
    if text.starts_with("UNKNOWN") { Outcome::Unknown(text) } else { Outcome::NotExecuted(text) }
}

fn moved_to(error: &str) -> Option<u16> {
    error.strip_prefix("MOVED ")?.rsplit(':').next()?.parse().ok()
}

fn owner(range: &Value) -> (u16, u16, Vec<u16>) {
    let parts = range.items();
    let number = |value: &Value| u16::try_from(value.integer()).expect("slots and ports fit");
    let ports = parts[2..].iter().map(|node| number(&node.items()[1])).collect();
    (number(&parts[0]), number(&parts[1]), ports)
}

/// The slot of a key: CRC16 (XMODEM) of its hash tag, or of all of it.
pub fn slot(key: &[u8]) -> u16 {
    let hashed = match key.iter().position(|&byte| byte == b'{') {
        Some(open) => match key[open + 1..].iter().position(|&byte| byte == b'}') {
            Some(length) if length > 0 => &key[open + 1..open + 1 + length],
            _ => key,
        },
        None => key,
    };
    let crc = hashed.iter().fold(0u16, |crc, &byte| {
        (0..8).fold(crc ^ (u16::from(byte) << 8), |crc, _| {
            if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 }
        })
    });
    crc % SLOTS
}

#[cfg(test)]
mod tests {
    use super::slot;

    #[test]
    fn slots_are_those_of_the_cluster_specification() {
        // CRC16/XMODEM's check value for "123456789" is 0x31C3.
        assert_eq!(slot(b"123456789"), 0x31c3);
        assert_eq!(slot(b"{user1000}.following"), slot(b"{user1000}.followers"));
        assert_eq!(slot(b"foo{{bar}}zap"), slot(b"{bar"));
        assert_ne!(slot(b"foo{}{bar}"), slot(b"bar"));
    }
}
