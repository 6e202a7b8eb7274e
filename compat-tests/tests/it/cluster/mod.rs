//! A cluster as its clients see it.

mod clients;
mod routing;
mod views;
