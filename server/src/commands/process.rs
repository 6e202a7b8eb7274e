//! What the operating system says of this process, for INFO.
//!
//! Read from procfs; on systems without it the numbers are zero and INFO says no more than we know.

/// Memory and CPU time of this process.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Process {
    /// Resident memory.
    pub(super) resident_bytes: u64,
    /// The most it ever was.
    pub(super) resident_bytes_peak: u64,
    /// The machine's memory.
    pub(super) machine_bytes: u64,
    /// CPU time in the kernel.
    pub(super) system_seconds: f64,
    /// CPU time outside.
    pub(super) user_seconds: f64,
}

/// Clock ticks in procfs: 100 a second on every Linux that Rust supports, whatever the kernel's HZ.
const TICKS_PER_SECOND: f64 = 100.0;

impl Process {
    /// Looks now.
    pub(super) fn now() -> Process {
        let file = |path| std::fs::read_to_string(path).unwrap_or_default();
        parse(&file("/proc/self/status"), &file("/proc/meminfo"), &file("/proc/self/stat"))
    }
}

/// The system's name and version, as Redis shows them.
pub(super) fn os() -> String {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let name = if cfg!(target_os = "linux") { "Linux" } else { std::env::consts::OS };
    format!("{name} {} {}", release.trim(), std::env::consts::ARCH)
}

fn parse(status: &str, memory: &str, stat: &str) -> Process {
    // After the command's name, which is in parentheses and may contain anything, the fields are
    // numbered from 3.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or("").split_whitespace().collect();
    let seconds = |field: usize| {
        let ticks: f64 = fields.get(field - 3).and_then(|ticks| ticks.parse().ok()).unwrap_or(0.0);
        ticks / TICKS_PER_SECOND
    };
    Process {
        resident_bytes: kilobytes(status, "VmRSS:"),
        resident_bytes_peak: kilobytes(status, "VmHWM:"),
        machine_bytes: kilobytes(memory, "MemTotal:"),
        user_seconds: seconds(14),
        system_seconds: seconds(15),
    }
}

/// The bytes that a line such as `VmRSS:   1234 kB` says.
fn kilobytes(text: &str, key: &str) -> u64 {
    let value = text.lines().find_map(|line| line.strip_prefix(key));
    let number = value.and_then(|value| value.split_whitespace().next()?.parse::<u64>().ok());
    number.unwrap_or(0) * 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn procfs_is_read_as_proc_5_says() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 1 0 0 0 250 125 0 0 20 0";
        let process = parse("VmHWM:\t  2048 kB\nVmRSS:\t  1024 kB\n", "MemTotal: 4 kB\n", stat);
        assert_eq!(process.resident_bytes, 1 << 20);
        assert_eq!(process.resident_bytes_peak, 2 << 20);
        assert_eq!(process.machine_bytes, 4096);
        assert_eq!((process.user_seconds, process.system_seconds), (2.5, 1.25));
    }

    #[test]
    fn without_procfs_everything_is_zero() {
        let process = parse("", "", "");
        assert_eq!((process.resident_bytes, process.user_seconds), (0, 0.0));
    }
}
