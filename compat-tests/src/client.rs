//! A connection to one server: blocking, one request or a pipeline at a time.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use crate::resp::{self, Value};

/// No reply takes longer in a healthy test; an election does not either.
const REPLY_TIMEOUT: Duration = Duration::from_secs(30);

/// A connection.
pub struct Client {
    stream: TcpStream,
    /// Bytes read and not yet returned as a reply.
    unread: Vec<u8>,
}

impl Client {
    /// Connects to a port of this machine.
    pub fn connect(port: u16) -> io::Result<Client> {
        Client::connect_within(port, REPLY_TIMEOUT)
    }

    /// Connects; every later reply has to come within `timeout`.
    pub fn connect_within(port: u16, timeout: Duration) -> io::Result<Client> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let stream = TcpStream::connect_timeout(&address, timeout)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(timeout))?;
        stream.set_write_timeout(Some(timeout))?;
        Ok(Client { stream, unread: Vec::new() })
    }

    /// Connects, and speaks RESP3 if `protocol` is 3.
    pub fn connect_speaking(port: u16, protocol: u8) -> io::Result<Client> {
        let mut client = Client::connect(port)?;
        if protocol == 3 {
            let hello = client.call(&["HELLO", "3"]);
            assert!(!hello.is_error(), "HELLO 3: {hello}");
        }
        Ok(client)
    }

    /// Sends a command and reads its reply; for tests in which the connection cannot fail.
    pub fn call(&mut self, args: &[impl AsRef<[u8]>]) -> Value {
        self.try_call(args).unwrap_or_else(|error| {
            let words: Vec<_> =
                args.iter().map(|arg| arg.as_ref().escape_ascii().to_string()).collect();
            panic!("{}: {error}", words.join(" "))
        })
    }

    /// Sends a command and reads its reply.
    pub fn try_call(&mut self, args: &[impl AsRef<[u8]>]) -> io::Result<Value> {
        let mut bytes = Vec::new();
        resp::request(args, &mut bytes);
        self.send(&bytes)?;
        self.reply()
    }

    /// Sends bytes as they are.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// The next reply.
    pub fn reply(&mut self) -> io::Result<Value> {
        let bytes = self.reply_bytes()?;
        Ok(resp::decode(&bytes).expect("a whole reply").0)
    }

    /// The next reply's bytes.
    pub fn reply_bytes(&mut self) -> io::Result<Vec<u8>> {
        loop {
            if let Some(length) = resp::reply_bytes(&self.unread) {
                let rest = self.unread.split_off(length);
                return Ok(std::mem::replace(&mut self.unread, rest));
            }
            self.read_more()?;
        }
    }

    /// The bytes of the next `count` replies; requests and replies may be any number at once.
    pub fn pipeline(&mut self, requests: &[u8], count: usize) -> io::Result<Vec<Vec<u8>>> {
        // Written from another thread: a server that stops reading until its replies are read
        // would otherwise wait for us while we wait for it.
        let mut writer = self.stream.try_clone()?;
        std::thread::scope(|scope| {
            let written = scope.spawn(move || writer.write_all(requests));
            let mut replies = Vec::with_capacity(count);
            let mut at = 0;
            while replies.len() < count {
                match resp::reply_bytes(&self.unread[at..]) {
                    Some(length) => {
                        replies.push(self.unread[at..at + length].to_vec());
                        at += length;
                    }
                    None => {
                        self.unread.drain(..at);
                        at = 0;
                        self.read_more()?;
                    }
                }
            }
            self.unread.drain(..at);
            written.join().expect("the writer does not panic")?;
            Ok(replies)
        })
    }

    /// Everything until the server closes the connection.
    pub fn read_to_close(&mut self) -> io::Result<Vec<u8>> {
        loop {
            match self.read_more() {
                Ok(()) => {}
                // A server that closes with our bytes unread resets the connection.
                Err(error) if is_closed(&error) => return Ok(std::mem::take(&mut self.unread)),
                Err(error) => return Err(error),
            }
        }
    }

    /// Everything until `end` is read, `end` included.
    pub fn read_until(&mut self, end: &[u8]) -> io::Result<Vec<u8>> {
        while !self.unread.ends_with(end) {
            self.read_more()?;
        }
        Ok(std::mem::take(&mut self.unread))
    }

    /// Says that nothing more will be sent.
    pub fn close_sending(&mut self) -> io::Result<()> {
        self.stream.shutdown(Shutdown::Write)
    }

    fn read_more(&mut self) -> io::Result<()> {
        let mut buffer = [0; 64 * 1024];
        let length = self.stream.read(&mut buffer)?;
        if length == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.unread.extend_from_slice(&buffer[..length]);
        Ok(())
    }
}

/// Whether the error says that the other side closed the connection.
pub fn is_closed(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), UnexpectedEof | ConnectionReset | BrokenPipe | ConnectionAborted)
}
