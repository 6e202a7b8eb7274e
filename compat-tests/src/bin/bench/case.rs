//! One comparison: what is measured of both sides, round by round, and what is aimed at.

use std::collections::BTreeMap;
use std::time::Instant;

use compat_tests::process;

/// Trouble is text: this program prints it and ends.
pub(crate) type Done<T = ()> = Result<T, String>;

/// What is measured, in the order of the table.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Measure {
    /// Processor time of all server processes for each command.
    ServerUs,
    PerSecond,
    P50Ms,
    P99Ms,
    BytesPerKey,
    /// What MEMORY USAGE says of a key, for each element.
    UsagePerKey,
    /// The same at the highest moment.
    PeakBytesPerKey,
    /// Processor time that neither the servers nor the load took, in percent of all there was.
    OthersPercent,
}

impl Measure {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Measure::ServerUs => "server CPU us/command",
            Measure::PerSecond => "commands/s",
            Measure::P50Ms => "p50 ms",
            Measure::P99Ms => "p99 ms",
            Measure::BytesPerKey => "bytes/key",
            Measure::UsagePerKey => "MEMORY USAGE/key",
            Measure::PeakBytesPerKey => "bytes/key at peak",
            Measure::OthersPercent => "machine used by others %",
        }
    }

    /// Whether more is better.
    pub(crate) fn higher_is_better(self) -> bool {
        self == Measure::PerSecond
    }

    /// Whether the two sides are to be compared by it; the rest says how far to trust them.
    pub(crate) fn is_compared(self) -> bool {
        self != Measure::OthersPercent
    }
}

/// What one load of one round showed.
pub(crate) type Sample = BTreeMap<Measure, f64>;

/// A comparison and its rounds.
pub(crate) struct Case {
    pub(crate) name: String,
    /// The two sides' names, ours first.
    pub(crate) sides: [String; 2],
    /// The ratio ours/theirs aimed at; a floor for what is better high, else a ceiling.
    pub(crate) goals: Vec<(Measure, f64)>,
    /// What each round showed of ours and of theirs.
    pub(crate) rounds: Vec<[Sample; 2]>,
}

impl Case {
    /// Measures both sides in turn, `rounds` times.
    pub(crate) fn measure(
        name: String,
        sides: [&str; 2],
        goals: &[(Measure, f64)],
        rounds: usize,
        mut load: impl FnMut(usize) -> Done<Sample>,
    ) -> Done<Case> {
        let mut case = Case {
            name,
            sides: sides.map(str::to_owned),
            goals: goals.to_vec(),
            rounds: Vec::with_capacity(rounds),
        };
        for round in 1..=rounds {
            eprintln!("{}: round {round} of {rounds}", case.name);
            case.rounds.push([load(0)?, load(1)?]);
        }
        Ok(case)
    }

    /// What every round measured, in the table's order.
    pub(crate) fn measures(&self) -> Vec<Measure> {
        self.rounds.first().map_or_else(Vec::new, |[ours, _]| ours.keys().copied().collect())
    }

    /// One side's median.
    pub(crate) fn median(&self, measure: Measure, side: usize) -> f64 {
        median(self.rounds.iter().map(|round| round[side][&measure]).collect())
    }

    /// The ratios ours/theirs of each round: median, least, greatest.
    pub(crate) fn ratio(&self, measure: Measure) -> [f64; 3] {
        let ratios: Vec<f64> =
            self.rounds.iter().map(|[ours, theirs]| ours[&measure] / theirs[&measure]).collect();
        let least = ratios.iter().copied().fold(f64::INFINITY, f64::min);
        let greatest = ratios.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        [median(ratios), least, greatest]
    }

    /// The ratio aimed at, and whether the median ratio reaches it.
    pub(crate) fn goal(&self, measure: Measure) -> Option<(f64, bool)> {
        let (_, goal) = self.goals.iter().find(|(of, _)| *of == measure)?;
        let [ratio, ..] = self.ratio(measure);
        let reached = if measure.higher_is_better() { ratio >= *goal } else { ratio <= *goal };
        Some((*goal, reached))
    }
}

/// The middle value; of an even count the mean of the two in the middle.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        count if count.is_multiple_of(2) => (values[count / 2 - 1] + values[count / 2]) / 2.0,
        count => values[count / 2],
    }
}

/// Processor time while a load runs: of the servers, of this program and what it started to make
/// the load, and of the whole machine.
pub(crate) struct Clock {
    servers: Vec<u32>,
    since: Instant,
    servers_seconds: f64,
    load_seconds: f64,
    machine_seconds: f64,
}

impl Clock {
    /// Starts counting.
    pub(crate) fn start(servers: &[u32]) -> Done<Clock> {
        Ok(Clock {
            servers: servers.to_vec(),
            since: Instant::now(),
            servers_seconds: servers.iter().map(|id| process::cpu_seconds(*id)).sum(),
            load_seconds: load_seconds()?,
            machine_seconds: machine_seconds()?,
        })
    }

    /// Stops; the servers' microseconds for each of `commands`, and what others used of the
    /// machine in percent.
    pub(crate) fn stop(self, commands: u64) -> Done<[(Measure, f64); 2]> {
        let spent: f64 = self.servers.iter().map(|id| process::cpu_seconds(*id)).sum();
        let servers = spent - self.servers_seconds;
        let load = load_seconds()? - self.load_seconds;
        let machine = machine_seconds()? - self.machine_seconds;
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let all = self.since.elapsed().as_secs_f64() * cores as f64;
        // The kernel's counts are sampled, so small differences may come out below nothing.
        let others = ((machine - servers - load) / all * 100.0).max(0.0);
        Ok([(Measure::ServerUs, servers * 1e6 / commands as f64), (Measure::OthersPercent, others)])
    }
}

/// The kernel's unit in `/proc/*/stat` is fixed for programs, whatever it uses itself.
const TICKS_A_SECOND: f64 = 100.0;

/// Processor time of this program and of its children that ended: the load, since servers run on.
fn load_seconds() -> Done<f64> {
    let stat = read("/proc/self/stat")?;
    // The name before it may hold anything, but ends with the last parenthesis; after it, the
    // 12th to the 15th field are own user and system time, and the children's.
    let after = stat.rsplit_once(')').map_or("", |(_, after)| after);
    let ticks = after.split_whitespace().skip(11).take(4).filter_map(|n| n.parse::<f64>().ok());
    Ok(ticks.sum::<f64>() / TICKS_A_SECOND)
}

/// Processor time that anyone used.
fn machine_seconds() -> Done<f64> {
    let stat = read("/proc/stat")?;
    let line = stat.lines().next().unwrap_or_default();
    // user, nice, system, idle, iowait, irq, softirq, steal: all but the two that are idle.
    let ticks = line.split_whitespace().skip(1).take(8).enumerate();
    let busy = ticks.filter(|(index, _)| !matches!(index, 3 | 4));
    Ok(busy.filter_map(|(_, n)| n.parse::<f64>().ok()).sum::<f64>() / TICKS_A_SECOND)
}

/// A file of the kernel.
pub(crate) fn read(path: &str) -> Done<String> {
    std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))
}
