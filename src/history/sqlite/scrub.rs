//! Removes what SQLite leaves of deleted texts.
//!
//! `PRAGMA secure_delete` writes zeros over deleted rows. But when SQLite moves rows to another
//! page, their bytes can stay in the unused middle of the old page, and are still there when the
//! row is deleted. So the middle of each page that a checkpoint wrote is filled with zeros in the
//! file. SQLite gives these bytes no meaning (<https://sqlite.org/fileformat2.html#b_tree_pages>).

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// The bytes of a page: SQLite's default.
pub(super) const PAGE: usize = 4_096;
/// In a larger file, the first byte of a page doesn't tell whether it belongs to a tree.
const MOST_PAGES: u64 = 1 << 24;

/// Fills the unused middle of some pages, in their order, with zeros. No other program may write
/// meanwhile. A file with pages that this server does not make is left as it is.
pub(super) fn clean(file: &File, pages: impl IntoIterator<Item = u32>) -> io::Result<()> {
    let count = file.metadata()?.len() / PAGE as u64;
    if count >= MOST_PAGES {
        return Ok(());
    }
    let mut page = [0; PAGE];
    file.read_exact_at(&mut page, 0)?;
    // The size of a page, the bytes that extensions reserve on each, and auto-vacuum, which adds
    // pages of another kind.
    if page[16..18] != [0x10, 0] || page[20] != 0 || page[52..56] != [0; 4] {
        return Ok(());
    }
    // Page 0 is in no valid log, and pages beyond the end were cut off.
    let pages = pages.into_iter().filter(|number| *number > 0);
    for number in pages.take_while(|number| u64::from(*number) <= count) {
        let at = u64::from(number - 1) * PAGE as u64;
        file.read_exact_at(&mut page, at)?;
        let Some(unused) = unused(&page, number == 1) else {
            continue;
        };
        let (start, bytes) = (unused.start as u64, &mut page[unused]);
        if bytes.iter().any(|byte| *byte != 0) {
            bytes.fill(0);
            file.write_all_at(bytes, at + start)?;
        }
    }
    Ok(())
}

/// Returns the range between the list of a tree page's rows and the first of them.
fn unused(page: &[u8; PAGE], is_first: bool) -> Option<std::ops::Range<usize>> {
    // The first page begins with the header of the file.
    let header = if is_first { 100 } else { 0 };
    let list = header
        + match page[header] {
            2 | 5 => 12,
            10 | 13 => 8,
            _ => return None,
        };
    let number = |at: usize| usize::from(u16::from_be_bytes([page[at], page[at + 1]]));
    let (rows, content) = (number(header + 3), number(header + 5));
    let unused = list + 2 * rows..content;
    (unused.start <= unused.end && unused.end <= PAGE).then_some(unused)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unused_middle_is_found_on_tree_pages_only() {
        // The place of the page's header, and the beginning of the header.
        let table = [
            ("leaf", 0, [13, 0, 0, 0, 3, 8, 0], Some(14..2_048)),
            ("inner page", 0, [2, 0, 0, 0, 1, 8, 0], Some(14..2_048)),
            ("page 1", 100, [13, 0, 0, 0, 2, 8, 0], Some(112..2_048)),
            ("full page", 0, [10, 0, 0, 0, 4, 0, 16], Some(16..16)),
            ("overflow page", 0, [0, 0, 0, 9, 3, 8, 0], None),
            ("damaged page", 0, [13, 0, 0, 9, 9, 8, 0], None),
            ("content past the end", 0, [13, 0, 0, 0, 3, 99, 0], None),
        ];
        for (name, at, header, expected) in table {
            let mut page = [7; PAGE];
            page[at..at + 7].copy_from_slice(&header);
            assert_eq!(unused(&page, at == 100), expected, "{name}");
        }
    }

    #[test]
    fn only_files_with_the_usual_pages_are_cleaned() {
        let path = std::env::temp_dir().join(format!("parlor-scrub-{}", std::process::id()));
        let table = [
            ("the usual pages", None, true),
            ("larger pages", Some((16, 0x20)), false),
            ("reserved bytes", Some((20, 8)), false),
            ("maps of pages (auto-vacuum)", Some((55, 4)), false),
        ];
        for (name, other, expected) in table {
            let mut bytes = vec![0; 2 * PAGE];
            bytes[16] = 0x10;
            bytes[PAGE..].fill(7);
            bytes[PAGE..PAGE + 7].copy_from_slice(&[13, 0, 0, 0, 3, 8, 0]);
            other.inspect(|(at, value)| bytes[*at] = *value);
            std::fs::write(&path, &bytes).unwrap();
            let file = File::options().read(true).write(true).open(&path).unwrap();
            clean(&file, 1..=2).unwrap();
            let is_cleaned = std::fs::read(&path).unwrap() != bytes;
            assert_eq!(is_cleaned, expected, "{name}");
        }
        let _ = std::fs::remove_file(&path);
    }
}
