//! Stub.
use crate::clock::Timestamp;
use crate::observation::Speech;
use std::net::SocketAddr;
/// Stub.
#[derive(Debug)]
pub struct Permit(SocketAddr);
impl Permit {
    /// Stub.
    pub fn spend(self) -> SocketAddr {
        self.0
    }
}
/// Stub.
#[derive(Debug, thiserror::Error)]
#[error("no")]
pub struct Refusal;
/// Stub.
#[derive(Debug)]
pub struct Scope;
impl Scope {
    /// Stub.
    pub fn admit(&self, to: SocketAddr, _speech: Speech, _now: Timestamp) -> Result<Permit, Refusal> {
        Ok(Permit(to))
    }
    /// Stub.
    pub fn origin(&self, _address: std::net::IpAddr) -> Option<u32> {
        None
    }
}
