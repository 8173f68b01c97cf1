//! Masking (RFC 6455 §5.3): a client's payload is XORed with a key that it makes up for each frame.
//!
//! It hides nothing, since the key stands in front of it. It is there so that a page can't choose
//! the bytes that go over
//! the wire: else it could make a proxy between take a payload for a request of its own, and poison
//! its cache (§10.3).

/// Masks a payload, or takes the mask off: the same step both ways. `phase` is the number of the
/// payload's bytes that came
/// before these, so that a frame may be treated in pieces.
pub(super) fn apply_mask(payload: &mut [u8], masking_key: [u8; 4], phase: u64) {
    let [a, b, c, d] = masking_key;
    let key = match phase % 4 {
        0 => [a, b, c, d],
        1 => [b, c, d, a],
        2 => [c, d, a, b],
        _ => [d, a, b, c],
    };
    // Eight bytes at a time; in this form the compiler makes the widest instructions of the machine
    // of it.
    let wide = u64::from_ne_bytes([
        key[0], key[1], key[2], key[3], key[0], key[1], key[2], key[3],
    ]);
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
    fn the_formula_of_section_5_3_at_every_phase_and_length() {
        let key = [0x37, 0xfa, 0x21, 0x3d];
        for phase in 0..9_u64 {
            for length in 0..40 {
                let original: Vec<u8> = (0..length).map(|i| i as u8 ^ 0xA5).collect();
                let expected: Vec<u8> = (phase as usize..)
                    .zip(&original)
                    .map(|(i, byte)| byte ^ key[i % 4])
                    .collect();
                let mut payload = original.clone();
                apply_mask(&mut payload, key, phase);
                assert_eq!(payload, expected, "phase {phase}, {length} bytes");
                apply_mask(&mut payload, key, phase);
                assert_eq!(payload, original, "and back");
            }
        }
    }

    #[test]
    fn the_example_of_section_5_7() {
        let mut payload = [0x7f, 0x9f, 0x4d, 0x51, 0x58];
        apply_mask(&mut payload, [0x37, 0xfa, 0x21, 0x3d], 0);
        assert_eq!(&payload, b"Hello");
    }
}
