//! A node's settings: one table, and the values that go with it.
//!
//! The table gives names, defaults and checks to the configuration file, to `--set` and to CONFIG
//! alike. Numbers are atomics, because connections read some of them for every batch of requests.
//!
//! Invariants: a stored value has passed its row's check. A password is never part of `Debug`
//! output or of an error.
//!
//! Leaves out: addresses and folders, which are fixed when the node starts (`config`); writing
//! changed values back to the file.

pub(crate) mod limits;
mod table;
mod value;

use std::sync::atomic::{AtomicU64, Ordering};

use keyspace::glob;
use keyspace::limits::Limit;
use parking_lot::RwLock;

pub(crate) use table::{Change, Id, Kind, ROWS, Row, find};
pub(crate) use value::{OutputClass, OutputLimit};

use value::Value;

/// When a write is on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fsync {
    /// About once a second.
    Everysec,
    /// Before it is answered.
    Always,
    /// When the kernel likes.
    No,
}

/// How a leader makes sure that it still leads before it reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReadConsistency {
    /// A quorum promised not to elect another for some time.
    Lease,
    /// A quorum is asked for each batch of reads.
    ReadIndex,
}

/// What a client gets that asks for another shard's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Redirect {
    /// The address of the node to ask.
    Moved,
    /// The answer, fetched for it.
    Forward,
}

/// What happens at `maxmemory`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MemoryPolicy {
    /// Commands that may add data are refused.
    Noeviction,
}

/// The values of all settings; shared by everything in the node.
pub(crate) struct Settings {
    /// By `Id`; for a secret 1 if it is set, for output limits unused.
    numbers: [AtomicU64; table::COUNT],
    /// By `OutputClass`.
    output_limits: RwLock<[OutputLimit; 3]>,
    /// `requirepass`; empty is none.
    password: RwLock<String>,
    /// The keyspace's limits that the configuration asks for.
    limits: RwLock<Vec<(Limit, i64)>>,
}

/// Values that passed every check.
pub(crate) struct Accepted(Vec<(&'static Row, Value)>);

impl Default for Settings {
    fn default() -> Settings {
        let settings = Settings {
            numbers: std::array::from_fn(|_| AtomicU64::new(0)),
            output_limits: RwLock::default(),
            password: RwLock::default(),
            limits: RwLock::default(),
        };
        for row in ROWS {
            if !matches!(row.kind, Kind::Alias(_)) {
                let value = value::parse(row, row.default).expect("defaults fit; tested");
                settings.store(row, value);
            }
        }
        settings
    }
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut map = f.debug_map();
        for row in ROWS {
            let shown = if row.kind == Kind::Secret { "(hidden)".into() } else { self.text(row) };
            map.entry(&row.name, &shown);
        }
        map.finish()
    }
}

/// CONFIG and the start.
impl Settings {
    /// CONFIG GET: names and values of the settings whose name matches the glob, in the table's
    /// order.
    pub(crate) fn get(&self, pattern: &[u8]) -> Vec<(&'static str, String)> {
        let pattern = pattern.to_ascii_lowercase();
        let found = ROWS.iter().filter(|row| glob::matches(&pattern, row.name.as_bytes()));
        found.map(|row| (row.name, self.text(row))).collect()
    }

    /// CONFIG SET of one setting.
    #[cfg(test)]
    pub(crate) fn set(&self, name: &str, value: &str) -> Result<(), String> {
        self.set_all(&[(name, value)])
    }

    /// CONFIG SET: all of them or none; the error is the whole reply text.
    #[cfg(test)]
    pub(crate) fn set_all(&self, pairs: &[(&str, &str)]) -> Result<(), String> {
        self.accept(self.check(pairs)?);
        Ok(())
    }

    /// CONFIG SET's first half: checks all values; the error is the whole reply text.
    pub(crate) fn check(&self, pairs: &[(&str, &str)]) -> Result<Accepted, String> {
        let mut checked = Vec::with_capacity(pairs.len());
        for (index, (name, text)) in pairs.iter().enumerate() {
            let row = find(name).ok_or_else(|| {
                let name = printable(name);
                format!("ERR Unknown option or number of arguments for CONFIG SET - '{name}'")
            })?;
            let repeated = pairs[..index].iter().any(|(other, _)| other.eq_ignore_ascii_case(name));
            let value = match row.change {
                _ if repeated => Err("duplicate parameter".into()),
                Change::Live => value::parse(row, text),
                Change::Never if self.text(row).eq_ignore_ascii_case(text) => continue,
                Change::AtStart | Change::Never => Err("can't set immutable config".into()),
            };
            checked.push((row, value));
        }
        // Redis looks at every name before it looks at any value's form, but reports the first
        // trouble of the line; both come to this, since nothing is stored before all is checked.
        let mut accepted = Vec::with_capacity(checked.len());
        for (row, value) in checked {
            let value = value.map_err(|reason| {
                let name = row.name;
                format!("ERR CONFIG SET failed (possibly related to argument '{name}') - {reason}")
            })?;
            accepted.push((row, value));
        }
        Ok(Accepted(accepted))
    }

    /// CONFIG SET's second half.
    pub(crate) fn accept(&self, Accepted(values): Accepted) {
        for (row, value) in values {
            self.store(row, value);
        }
    }

    /// The keyspace's limits that the configuration asks for.
    pub(crate) fn limits(&self) -> Vec<(Limit, i64)> {
        self.limits.read().clone()
    }

    /// Takes a value from the configuration file or the command line, before the node starts. The
    /// error is a sentence that names the setting and never the value, which may be a secret.
    pub(crate) fn configure(&self, name: &str, text: &str) -> Result<(), String> {
        if let Some(row) = limits::find(name) {
            let value = limits::parse(row, text)
                .map_err(|reason| format!("setting '{}': {reason}", row.name))?;
            self.limits.write().push((row.limit, value));
            return Ok(());
        }
        let row = find(name).ok_or_else(|| format!("there is no setting '{}'", printable(name)))?;
        if row.change == Change::Never {
            return Err(format!("setting '{}' only reports and cannot be given", row.name));
        }
        let value = value::parse(row, text)
            .map_err(|reason| format!("setting '{}': {reason}", row.name))?;
        self.store(row, value);
        Ok(())
    }

    /// Tells clients that ask for `cluster-enabled`; decided by whether the node has peers.
    pub(crate) fn report_cluster(&self, enabled: bool) {
        self.store(Id::ClusterEnabled.row(), Value::Number(u64::from(enabled)));
    }

    fn store(&self, row: &Row, value: Value) {
        let id = if let Kind::Alias(id) = row.kind { id } else { row.id };
        match value {
            Value::Number(number) => self.numbers[id as usize].store(number, Ordering::Relaxed),
            Value::OutputLimits(changes) => {
                let mut limits = self.output_limits.write();
                for (class, limit) in changes {
                    limits[class as usize] = limit;
                }
            }
            Value::Secret(text) => {
                let mut password = self.password.write();
                self.numbers[id as usize].store(u64::from(!text.is_empty()), Ordering::Release);
                *password = text;
            }
        }
    }

    fn text(&self, row: &Row) -> String {
        match row.kind {
            Kind::Bool => if self.number(row.id) == 1 { "yes" } else { "no" }.into(),
            Kind::Integer { .. } | Kind::Bytes { .. } => self.number(row.id).to_string(),
            Kind::Choice(words) => words[self.number(row.id) as usize].into(),
            Kind::OutputLimits => {
                let limits = *self.output_limits.read();
                let parts = OutputClass::ALL.map(|(class, name)| {
                    let OutputLimit { hard_bytes, soft_bytes, soft_seconds } =
                        limits[class as usize];
                    format!("{name} {hard_bytes} {soft_bytes} {soft_seconds}")
                });
                parts.join(" ")
            }
            Kind::Secret => self.password.read().clone(),
            Kind::Alias(id) => self.text(id.row()),
        }
    }

    fn number(&self, id: Id) -> u64 {
        self.numbers[id as usize].load(Ordering::Relaxed)
    }
}

/// Typed getters, all cheap.
impl Settings {
    /// Whether clients must give a password.
    pub(crate) fn requires_password(&self) -> bool {
        self.numbers[Id::Requirepass as usize].load(Ordering::Acquire) == 1
    }

    /// Whether this is the password. Takes as long for a wrong first byte as for a wrong last one,
    /// so that the time tells nothing but the length.
    pub(crate) fn password_matches(&self, given: &[u8]) -> bool {
        let password = self.password.read();
        let password = password.as_bytes();
        let difference = password.iter().zip(given).fold(0, |all, (a, b)| all | (a ^ b));
        std::hint::black_box(difference) == 0 && password.len() == given.len()
    }

    /// Connections served at once.
    pub(crate) fn maxclients(&self) -> u64 {
        self.number(Id::Maxclients)
    }

    /// Seconds after which an idle client is closed; 0 is never.
    pub(crate) fn timeout_seconds(&self) -> u64 {
        self.number(Id::Timeout)
    }

    /// Seconds of silence before TCP probes; 0 is never.
    pub(crate) fn tcp_keepalive_seconds(&self) -> u64 {
        self.number(Id::TcpKeepalive)
    }

    /// Longest argument.
    pub(crate) fn bulk_bytes_max(&self) -> u64 {
        self.number(Id::ProtoMaxBulkLen)
    }

    /// Most bytes of unfinished requests for one client.
    pub(crate) fn query_buffer_bytes_max(&self) -> u64 {
        self.number(Id::ClientQueryBufferLimit)
    }

    /// Limits on a class' unread replies.
    pub(crate) fn output_limit(&self, class: OutputClass) -> OutputLimit {
        self.output_limits.read()[class as usize]
    }

    /// Bytes of data allowed; 0 is no limit.
    pub(crate) fn maxmemory_bytes(&self) -> u64 {
        self.number(Id::Maxmemory)
    }

    /// What happens at it.
    pub(crate) fn maxmemory_policy(&self) -> MemoryPolicy {
        [MemoryPolicy::Noeviction][self.number(Id::MaxmemoryPolicy) as usize]
    }

    /// When a write is on disk.
    pub(crate) fn fsync(&self) -> Fsync {
        [Fsync::Everysec, Fsync::Always, Fsync::No][self.number(Id::Fsync) as usize]
    }

    /// Databases of a standalone node.
    pub(crate) fn databases(&self) -> u8 {
        u8::try_from(self.number(Id::Databases)).expect("the row allows 16 at most")
    }

    /// Threads that serve clients; 0 is one for each core.
    pub(crate) fn io_threads(&self) -> usize {
        self.number(Id::IoThreads) as usize
    }

    /// How a leader makes sure that it still leads.
    pub(crate) fn read_consistency(&self) -> ReadConsistency {
        const ORDER: [ReadConsistency; 2] = [ReadConsistency::Lease, ReadConsistency::ReadIndex];
        ORDER[self.number(Id::ReadConsistency) as usize]
    }

    /// What a client gets that asks for another shard's key.
    pub(crate) fn redirect(&self) -> Redirect {
        [Redirect::Moved, Redirect::Forward][self.number(Id::Redirect) as usize]
    }

    /// How long a forwarded command waits for its answer.
    pub(crate) fn forward_timeout_ms(&self) -> u64 {
        self.number(Id::ForwardTimeoutMs)
    }

    /// Whether this node is part of a cluster.
    pub(crate) fn cluster_enabled(&self) -> bool {
        self.number(Id::ClusterEnabled) == 1
    }

    /// Whether one shard without a leader is a failure of the cluster.
    pub(crate) fn requires_full_coverage(&self) -> bool {
        self.number(Id::ClusterRequireFullCoverage) == 1
    }

    /// Between a leader's heartbeats.
    pub(crate) fn raft_heartbeat_ms(&self) -> u64 {
        self.number(Id::RaftHeartbeatMs)
    }

    /// Shortest time without a leader before an election.
    pub(crate) fn raft_election_ms(&self) -> u64 {
        self.number(Id::RaftElectionMs)
    }

    /// Log entries between checkpoints.
    pub(crate) fn checkpoint_entries(&self) -> u64 {
        self.number(Id::CheckpointEntries)
    }

    /// Bytes of log between checkpoints.
    pub(crate) fn checkpoint_log_bytes(&self) -> u64 {
        self.number(Id::CheckpointLogBytes)
    }

    /// Bytes at which a batch is closed.
    pub(crate) fn batch_bytes_max(&self) -> usize {
        self.number(Id::BatchBytesMax) as usize
    }

    /// Commands at which a batch is closed.
    pub(crate) fn batch_commands_max(&self) -> usize {
        self.number(Id::BatchCommandsMax) as usize
    }
}

/// A name from outside as it may stand in a reply: control characters would break the protocol's
/// lines, and a long one says nothing more.
fn printable(name: &str) -> String {
    const CHARS_MAX: usize = 128;
    name.chars().take(CHARS_MAX).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(settings: &Settings, name: &str) -> String {
        settings.get(name.as_bytes())[0].1.clone()
    }

    #[test]
    fn defaults_are_the_tables() {
        let settings = Settings::default();
        assert_eq!(settings.maxclients(), 10_000);
        assert_eq!(settings.bulk_bytes_max(), 512 << 20);
        assert_eq!(settings.fsync(), Fsync::Always);
        assert_eq!(settings.read_consistency(), ReadConsistency::Lease);
        assert_eq!(settings.redirect(), Redirect::Moved);
        assert_eq!(settings.maxmemory_policy(), MemoryPolicy::Noeviction);
        let normal = settings.output_limit(OutputClass::Normal);
        let bounded = OutputLimit { hard_bytes: 256 << 20, soft_bytes: 64 << 20, soft_seconds: 60 };
        assert_eq!(normal, bounded);
        assert!(!settings.requires_password() && !settings.cluster_enabled());
    }

    #[test]
    fn names_are_unique_and_lower_case() {
        for row in ROWS {
            assert_eq!(find(row.name).unwrap().id, row.id);
            assert_eq!(row.name, row.name.to_ascii_lowercase());
            assert!(row.about.ends_with('.'), "{} needs a sentence", row.name);
        }
    }

    #[test]
    fn every_word_of_a_choice_maps_to_its_variant() {
        let settings = Settings::default();
        settings.set("maxmemory-policy", "noeviction").unwrap();
        assert_eq!(settings.maxmemory_policy(), MemoryPolicy::Noeviction);
        for word in table::FSYNC {
            settings.configure("fsync", word).unwrap();
            assert_eq!(format!("{:?}", settings.fsync()).to_ascii_lowercase(), **word);
        }
        settings.set("read-consistency", "read-index").unwrap();
        assert_eq!(settings.read_consistency(), ReadConsistency::ReadIndex);
        settings.set("redirect", "forward").unwrap();
        assert_eq!(settings.redirect(), Redirect::Forward);
    }

    #[test]
    fn config_get_takes_globs_in_any_case() {
        let settings = Settings::default();
        let names = |pattern: &str| -> Vec<&str> {
            settings.get(pattern.as_bytes()).iter().map(|(name, _)| *name).collect()
        };
        assert_eq!(names("MAX*"), ["maxclients", "maxmemory", "maxmemory-policy"]);
        assert_eq!(names("sav?"), ["save"]);
        assert_eq!(names("*append*"), ["appendfsync", "appendonly"]);
        assert_eq!(names("*").len(), ROWS.len());
        assert_eq!(names("nosuch"), [""; 0]);
        assert_eq!(get(&settings, "appendonly"), "yes");
        assert_eq!(get(&settings, "appendfsync"), "always");
        assert_eq!(
            get(&settings, "client-output-buffer-limit"),
            "normal 268435456 67108864 60 slave 268435456 67108864 60 pubsub 33554432 8388608 60"
        );
    }

    /// The texts were read from Redis 7.0.15.
    #[test]
    fn config_set_refuses_in_redis_words() {
        let failed = |name: &str, reason: &str| {
            format!("ERR CONFIG SET failed (possibly related to argument '{name}') - {reason}")
        };
        let settings = Settings::default();
        let cases = [
            ("maxclients", "abc", "argument couldn't be parsed into an integer"),
            ("maxclients", "0", "argument must be between 1 and 4294967295 inclusive"),
            ("timeout", "-1", "argument must be between 0 and 2147483647 inclusive"),
            ("maxmemory", "1x", "argument must be a memory value"),
            ("cluster-require-full-coverage", "maybe", "argument must be 'yes' or 'no'"),
            ("databases", "3", "can't set immutable config"),
            ("appendonly", "no", "can't set immutable config"),
            (
                "client-output-buffer-limit",
                "normal 1",
                "Wrong number of arguments in buffer limit configuration.",
            ),
            (
                "client-output-buffer-limit",
                "foo 1 2 3",
                "Invalid client class specified in buffer limit configuration.",
            ),
            (
                "client-output-buffer-limit",
                "normal a 2 3",
                "Error in hard, soft or soft_seconds setting in buffer limit configuration.",
            ),
            (
                "client-query-buffer-limit",
                "1",
                "argument must be between 1048576 and 9223372036854775807 inclusive",
            ),
            ("maxmemory-policy", "foo", "argument(s) must be one of the following: noeviction"),
        ];
        for (name, value, reason) in cases {
            assert_eq!(settings.set(name, value), Err(failed(name, reason)), "{name} {value}");
        }
        assert_eq!(
            settings.set("no\r\nsuch", "1"),
            Err("ERR Unknown option or number of arguments for CONFIG SET - 'no  such'".into())
        );
        assert_eq!(
            settings.set_all(&[("timeout", "1"), ("TIMEOUT", "2")]),
            Err(failed("timeout", "duplicate parameter"))
        );
    }

    #[test]
    fn config_set_is_all_or_nothing() {
        let settings = Settings::default();
        assert!(settings.set_all(&[("timeout", "7"), ("maxclients", "x")]).is_err());
        assert_eq!(settings.timeout_seconds(), 0);
        settings.set_all(&[("timeout", "7"), ("MaxMemory", "10K")]).unwrap();
        assert_eq!((settings.timeout_seconds(), settings.maxmemory_bytes()), (7, 10_000));
        // What redis-benchmark and test suites set anyway is content with what already holds.
        settings.set_all(&[("save", ""), ("appendonly", "yes")]).unwrap();
        settings.set("client-output-buffer-limit", "replica 1 2 3 normal 1mb 0 0").unwrap();
        assert_eq!(settings.output_limit(OutputClass::Normal).hard_bytes, 1 << 20);
        assert_eq!(settings.output_limit(OutputClass::Replica).soft_seconds, 3);
        assert_eq!(settings.output_limit(OutputClass::Pubsub).hard_bytes, 32 << 20);
    }

    #[test]
    fn the_start_may_set_what_config_set_may_not() {
        let settings = Settings::default();
        settings.configure("databases", "4").unwrap();
        assert_eq!(settings.databases(), 4);
        settings.configure("appendfsync", "no").unwrap();
        assert_eq!(settings.fsync(), Fsync::No);
        assert_eq!(
            settings.configure("cluster-enabled", "yes").unwrap_err(),
            "setting 'cluster-enabled' only reports and cannot be given"
        );
        assert_eq!(settings.configure("nosuch", "1").unwrap_err(), "there is no setting 'nosuch'");
    }

    #[test]
    fn a_password_is_checked_and_never_printed() {
        let settings = Settings::default();
        settings.set("requirepass", "hunter2").unwrap();
        assert!(settings.requires_password() && settings.password_matches(b"hunter2"));
        for wrong in ["", "hunter", "hunter22", "Hunter2"] {
            assert!(!settings.password_matches(wrong.as_bytes()), "{wrong:?}");
        }
        assert!(!format!("{settings:?}").contains("hunter2"));
        settings.set("requirepass", "").unwrap();
        assert!(!settings.requires_password());
    }
}
