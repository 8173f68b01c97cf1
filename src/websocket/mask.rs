//! Masking (RFC 6455 §5.3): a client XORs each payload with a key that it chooses for each frame.
//!
//! Masking hides nothing, because the key precedes the payload. It keeps a page from choosing the
//! bytes on the wire: otherwise it could send bytes that a proxy takes for an HTTP request, and
//! poison the proxy's cache (§10.3).

/// Masks or unmasks a payload, which is the same operation. `phase` is the number of bytes of the
/// payload that precede these, so that a payload can be processed in pieces.
pub(super) fn apply_mask(payload: &mut [u8], masking_key: [u8; 4], phase: u64) {
    let mut key = masking_key;
    key.rotate_left((phase % 4) as usize);
    let [a, b, c, d] = key;
    // Eight bytes at a time; the compiler turns this loop into SIMD instructions.
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (words, rest) = payload.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(key.into_iter().cycle()) {
        *byte ^= key;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masking_follows_section_5_3_at_every_phase_and_length() {
        let key = [0x37, 0xfa, 0x21, 0x3d];
        for (phase, length) in (0..9).flat_map(|phase| (0..40).map(move |length| (phase, length))) {
            let original: Vec<u8> = (0..length).map(|i| i as u8 ^ 0xA5).collect();
            let bytes = original.iter().enumerate();
            let expected: Vec<u8> = bytes.map(|(i, byte)| byte ^ key[(phase + i) % 4]).collect();
            let mut payload = original;
            apply_mask(&mut payload, key, phase as u64);
            assert_eq!(payload, expected, "phase {phase}, {length} bytes");
        }
    }
}
