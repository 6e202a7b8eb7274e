//! Running the program: with a deadline on everything, on free ports, and gone after the test.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// Longest wait for anything: an unoptimised cluster on a loaded machine takes some seconds.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Asks `look` until it has an answer; panics with `what` after [`PATIENCE`].
pub(crate) fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "no {what} within {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The program with these arguments.
pub(crate) fn ringfort(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ringfort"));
    command.args(args).env("NO_COLOR", "1").stdin(Stdio::null());
    command
}

/// What a run that ends by itself did: its status and everything it said.
pub(crate) fn run(args: &[&str]) -> (ExitStatus, String) {
    let Output { status, stdout, stderr } = ringfort(args).output().unwrap();
    (status, String::from_utf8([stdout, stderr].concat()).unwrap())
}

/// A process that goes on, killed when the test ends.
pub(crate) struct Running {
    child: Child,
    lines: mpsc::Receiver<String>,
    said: Mutex<String>,
}

impl Running {
    pub(crate) fn start(args: &[&str]) -> Running {
        let mut child =
            ringfort(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (sender, lines) = mpsc::channel();
        let pipes: [Box<dyn Read + Send>; 2] =
            [Box::new(child.stdout.take().unwrap()), Box::new(child.stderr.take().unwrap())];
        for pipe in pipes {
            let sender = sender.clone();
            std::thread::spawn(move || {
                for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                    if sender.send(line).is_err() {
                        return;
                    }
                }
            });
        }
        Running { child, lines, said: Mutex::default() }
    }

    /// Waits for a line that has `part` in it.
    pub(crate) fn wait_for(&self, part: &str) -> String {
        let mut said = self.said.lock().unwrap();
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => {
                    said.push_str(&line);
                    said.push('\n');
                    if line.contains(part) {
                        return line;
                    }
                }
                Err(_) => panic!("never said {part:?}, but:\n{said}"),
            }
        }
    }

    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        signal_process(self.child.id(), signal);
    }

    /// Waits for its end.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        until("end of the process", || self.child.try_wait().unwrap())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn signal_process(pid: u32, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    rustix::process::kill_process(pid, signal).unwrap();
}

/// The first of `count` neighbouring ports that are free, also 10,000 and 20,000 further, all
/// below 32,768, where Linux begins to take ports for outgoing connections. The range is apart
/// from that of `compat-tests`.
pub(crate) fn free_ports(count: u16) -> u16 {
    const FIRST: u16 = 4_000;
    const LAST: u16 = 9_000;
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = u16::try_from(std::process::id() % u32::from(LAST - FIRST)).unwrap();
    let _ = NEXT.compare_exchange(0, start, Ordering::Relaxed, Ordering::Relaxed);
    for _ in FIRST..LAST {
        let at = FIRST + NEXT.fetch_add(count, Ordering::Relaxed) % (LAST - FIRST);
        if (at..at + count).all(|port| [0, 10_000, 20_000].iter().all(|far| is_free(port + far))) {
            return at;
        }
    }
    panic!("no {count} neighbouring free ports");
}

pub(crate) fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// Sends bytes, and reads until the other side closes or, if there is one, `end` came.
pub(crate) fn exchange(port: u16, bytes: &[u8], end: Option<&[u8]>) -> std::io::Result<String> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(bytes)?;
    let mut answer = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let count = stream.read(&mut piece)?;
        answer.extend_from_slice(&piece[..count]);
        if count == 0 || end.is_some_and(|end| answer.ends_with(end)) {
            return Ok(String::from_utf8_lossy(&answer).into_owned());
        }
    }
}

/// One inline command's answer, of whatever lines: an ECHO after it marks its end.
pub(crate) fn call(port: u16, command: &str) -> std::io::Result<String> {
    const MARK: &str = "$7\r\n-mark-!\r\n";
    let request = format!("{command}\r\nECHO -mark-!\r\n");
    let answer = exchange(port, request.as_bytes(), Some(MARK.as_bytes()))?;
    let answer = answer.strip_suffix(MARK).ok_or(std::io::ErrorKind::UnexpectedEof)?;
    Ok(answer.trim_end().to_owned())
}
