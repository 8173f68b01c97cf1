//! What stands in the place of `deflate` where parlor is built without it: every offer is declined,
//! so nothing that is
//! compressed comes, and nothing is sent compressed.

use super::frame::Opcode;
use super::offer::DeflateParameters;
use super::violation::Violation;

/// Would compress messages.
#[derive(Default)]
pub struct Deflate {}

impl Deflate {
    /// `false`: nothing is compressed here.
    pub fn compress(&mut self, _: Opcode, _: &[u8], _: DeflateParameters, _: &mut Vec<u8>) -> bool {
        false
    }
}

/// Would hold what is inflated.
#[derive(Default)]
pub struct Scratch {}

impl Scratch {
    pub(super) fn forget(&mut self) {}

    /// RSV1 has no meaning here.
    pub(super) fn inflate(&mut self, _: Opcode, _: &[u8], _: usize) -> Result<&[u8], Violation> {
        Err(Violation::ReservedBits)
    }
}
