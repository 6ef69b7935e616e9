//! Ranks that are processes, on one machine or on several, connected by TCP.

mod communicator;
mod config;
mod link;
mod rendezvous;

pub use communicator::TcpCommunicator;
pub use config::TcpConfig;
