//! What can be wrong with the packets a server sends.

use crate::proto::read::Short;

/// Why a server's packets could not be followed further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    /// A packet length outside 12 to 35000.
    #[error("packet length {0} out of bounds")]
    PacketLength(u32),
    /// More padding than packet, or nothing but padding.
    #[error("packet padding out of bounds")]
    Padding,
    /// A field of a message is missing.
    #[error(transparent)]
    Short(#[from] Short),
    /// A message that has no place here.
    #[error("message {0} out of turn")]
    OutOfTurn(u8),
}
