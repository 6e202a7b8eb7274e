//! Sessions for tests, on real sockets.

use std::sync::Arc;

use bytes::BytesMut;
use resp::{Protocol, Reply};
use tokio::net::{TcpListener, TcpStream};

use crate::session::{Clients, Session};

/// A session of a client that has just connected, at second 1000.
pub(super) async fn session(clients: &Clients, authenticated: bool) -> Session {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (addr, laddr) = (stream.peer_addr().unwrap(), stream.local_addr().unwrap());
    Session::new(clients.add(Arc::new(stream), addr, laddr, 1_000_000), authenticated)
}

/// A reply's bytes, as text.
pub(super) fn encoded(reply: &Reply<'_>, protocol: Protocol) -> String {
    let mut out = BytesMut::new();
    reply.encode(protocol, &mut out);
    String::from_utf8(out.to_vec()).unwrap()
}

/// The text of an error.
pub(super) fn error_text<T: std::fmt::Debug>(result: Result<T, Reply<'static>>) -> String {
    match result {
        Err(Reply::Error(text)) => text.into_owned(),
        other => panic!("{other:?}"),
    }
}
