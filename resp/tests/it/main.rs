//! The codec from outside: requests and replies as a server and a client use them.

mod allocations;
mod client;
mod pieces;
mod replies;
mod request_limits;
mod request_properties;
