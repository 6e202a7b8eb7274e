//! `/metrics`, `/healthz` and `/readyz` over HTTP/1.1.
//!
//! Three fixed pages need no framework: one request a connection, `Connection: close`. Everything
//! is bounded: connections at once, bytes of a request's head, time for it.

mod metrics;
pub(crate) mod ready;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use crate::node::Node;

/// A scraper and some probes need a handful; the rest waits in the kernel's queue.
const CONNECTIONS_MAX: usize = 64;
/// A request line and a browser's headers.
const HEAD_BYTES_MAX: usize = 8 * 1024;
/// From accept to the last byte of the answer, read barrier included.
const EXCHANGE_TIMEOUT: Duration = Duration::from_secs(5);
/// After a failed accept (no descriptors left), before the next one.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves for as long as the process lives; for ever nothing, without a socket.
pub(crate) async fn serve(
    node: Arc<Node>,
    socket: Option<std::net::TcpListener>,
) -> io::Result<()> {
    let Some(socket) = socket else { return std::future::pending().await };
    let listener = TcpListener::from_std(socket)?;
    let free = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let place = free.clone().acquire_owned().await.expect("is never closed");
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!("cannot accept an HTTP connection: {error}");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let node = node.clone();
        tokio::spawn(async move {
            // Who is too slow or goes away gets nothing, and nobody else is concerned.
            let _ = tokio::time::timeout(EXCHANGE_TIMEOUT, exchange(stream, &node)).await;
            drop(place);
        });
    }
}

async fn exchange(mut stream: TcpStream, node: &Node) -> io::Result<()> {
    let answer = match read_head(&mut stream).await? {
        None => Answer::plain(431, "the request's head is too long\n"),
        Some(head) => match parse(&head) {
            Ok(request) => {
                let answer = page(node, request.path).await;
                Answer { without_body: request.head_only, ..answer }
            }
            Err(answer) => answer,
        },
    };
    stream.write_all(&answer.bytes()).await?;
    stream.shutdown().await
}

/// The bytes up to the empty line; `None` if it does not come in time for the limit.
async fn read_head(stream: &mut TcpStream) -> io::Result<Option<Vec<u8>>> {
    let mut head = Vec::with_capacity(1024);
    loop {
        if stream.read_buf(&mut head).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if head.windows(4).any(|four| four == b"\r\n\r\n") {
            return Ok(Some(head));
        }
        if head.len() > HEAD_BYTES_MAX {
            return Ok(None);
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Request<'a> {
    path: &'a str,
    head_only: bool,
}

/// The request line; an error is the answer to what is no request for us.
fn parse(head: &[u8]) -> Result<Request<'_>, Answer> {
    let end = head.windows(2).position(|two| two == b"\r\n").unwrap_or(head.len());
    let malformed = || Answer::plain(400, "malformed request\n");
    let line = std::str::from_utf8(&head[..end]).map_err(|_| malformed())?;
    let mut words = line.split(' ');
    let (method, target, version) = (words.next(), words.next(), words.next());
    let (Some(method), Some(target), Some(version), None) = (method, target, version, words.next())
    else {
        return Err(malformed());
    };
    if !version.starts_with("HTTP/1.") || !target.starts_with('/') {
        return Err(malformed());
    }
    if method != "GET" && method != "HEAD" {
        return Err(Answer::plain(405, "only GET and HEAD\n"));
    }
    let path = target.split('?').next().unwrap_or(target);
    Ok(Request { path, head_only: method == "HEAD" })
}

async fn page(node: &Node, path: &str) -> Answer {
    match path {
        // The process runs and its runtime answers; whether it can serve is `/readyz`' matter, so
        // that nobody restarts a healthy replica because others are gone.
        "/healthz" => Answer::plain(200, "ok\n"),
        "/readyz" => match ready::check(node).await {
            Ok(()) => Answer::plain(200, "ready\n"),
            Err(why) => Answer::plain(503, format!("{why}\n")),
        },
        "/metrics" => Answer {
            // The version of Prometheus' text format, not ours.
            content_type: "text/plain; version=0.0.4; charset=utf-8",
            ..Answer::plain(200, metrics::page(&metrics::sample(node)))
        },
        _ => Answer::plain(404, "there are /metrics, /healthz and /readyz\n"),
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Answer {
    status: u16,
    content_type: &'static str,
    body: String,
    without_body: bool,
}

impl Answer {
    fn plain(status: u16, body: impl Into<String>) -> Answer {
        let content_type = "text/plain; charset=utf-8";
        Answer { status, content_type, body: body.into(), without_body: false }
    }

    fn bytes(&self) -> Vec<u8> {
        let reason = match self.status {
            200 => "OK",
            400 => "Bad Request",
            404 => "Not Found",
            405 => "Method Not Allowed",
            431 => "Request Header Fields Too Large",
            _ => "Service Unavailable",
        };
        let Answer { status, content_type, body, .. } = self;
        let allow = if *status == 405 { "Allow: GET, HEAD\r\n" } else { "" };
        let mut text = format!(
            "HTTP/1.1 {status} {reason}\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n\
             {allow}Cache-Control: no-store\r\nConnection: close\r\n\r\n",
            body.len()
        );
        if !self.without_body {
            text.push_str(body);
        }
        text.into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_lines_are_read() {
        let parsed = |line: &str| {
            let head = format!("{line}\r\nHost: h\r\n\r\n");
            match parse(head.as_bytes()) {
                Ok(request) => (200, request.path.to_owned()),
                Err(answer) => (answer.status, String::new()),
            }
        };
        assert_eq!(parsed("GET /metrics HTTP/1.1"), (200, "/metrics".into()));
        assert_eq!(parsed("HEAD /readyz?x=1 HTTP/1.0"), (200, "/readyz".into()));
        assert_eq!(parsed("POST /metrics HTTP/1.1").0, 405);
        for line in ["", "GET", "GET /", "GET / HTTP/2", "GET x HTTP/1.1", "GET / HTTP/1.1 x"] {
            assert_eq!(parsed(line).0, 400, "{line:?}");
        }
        assert_eq!(parse(b"GET /\xff HTTP/1.1\r\n\r\n").unwrap_err().status, 400);
    }

    #[test]
    fn answers_say_their_length_and_close() {
        let text = String::from_utf8(Answer::plain(503, "no\n").bytes()).unwrap();
        assert!(text.starts_with("HTTP/1.1 503 Service Unavailable\r\n"), "{text}");
        assert!(text.contains("\r\nContent-Length: 3\r\n"), "{text}");
        assert!(text.contains("\r\nConnection: close\r\n"), "{text}");
        assert!(text.ends_with("\r\n\r\nno\n"), "{text}");
        let head = Answer { without_body: true, ..Answer::plain(200, "body") };
        assert!(String::from_utf8(head.bytes()).unwrap().ends_with("\r\n\r\n"));
        let refused = String::from_utf8(Answer::plain(405, "").bytes()).unwrap();
        assert!(refused.contains("\r\nAllow: GET, HEAD\r\n"), "{refused}");
    }

    async fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let ours = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        (ours, listener.accept().await.unwrap().0)
    }

    #[tokio::test]
    async fn a_head_may_come_in_pieces_but_not_without_end() {
        let (mut client, mut server) = pair().await;
        client.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
        client.write_all(b"\r\n").await.unwrap();
        let head = read_head(&mut server).await.unwrap().unwrap();
        assert_eq!(head, b"GET / HTTP/1.1\r\n\r\n");

        let (mut client, mut server) = pair().await;
        let writes = async move {
            let long = vec![b'x'; HEAD_BYTES_MAX + 1];
            client.write_all(&long).await.unwrap();
            client
        };
        let (head, _client) = tokio::join!(read_head(&mut server), writes);
        assert_eq!(head.unwrap(), None);

        let (client, mut server) = pair().await;
        drop(client);
        assert!(read_head(&mut server).await.is_err());
    }
}
