//! Paths of requests as names of files below a folder.
//!
//! Input: the path of a request's target. Asserted, by splitting the name into components as the
//! file system does:
//! - the file is below the folder, and the name has no hidden component, no backslash and no
//!   control character;
//! - the name is the path, decoded by RFC 3986 §2.1;
//! - the name with every byte percent-encoded is a path with the same name.

use parlor::http::pages::{BuiltIn, Pages, file_name};
use std::cell::RefCell;
use std::path::{Component, Path};

thread_local! {
    /// Made once, because hashing all files takes longer than a check.
    static PAGES: RefCell<BuiltIn> = RefCell::new(BuiltIn::default());
}

pub fn check(data: &[u8]) {
    let Ok(path) = str::from_utf8(data) else {
        return;
    };
    let name = file_name(path);
    let page = PAGES.with_borrow_mut(|pages| pages.page(path));
    assert!(page.is_none() || name.is_some());
    let decoded = decoded(path.as_bytes());
    let Some(name) = name else {
        let refused = decoded.is_none_or(|decoded| {
            !path.starts_with('/')
                || decoded.contains('\\')
                || decoded.chars().any(char::is_control)
                || path.to_lowercase().contains("%2f")
                || decoded[1..]
                    .split('/')
                    .any(|part| part.is_empty() || part.starts_with('.'))
        });
        assert!(refused, "{path:?} is valid but was refused");
        return;
    };
    assert_eq!(
        Some(name.as_str()),
        if path == "/" {
            Some("index.html")
        } else {
            decoded.as_deref().map(|path| &path[1..])
        }
    );
    let root = Path::new("/srv/www");
    let below = root.join(&name);
    let mut components = below
        .strip_prefix(root)
        .expect("below the folder")
        .components();
    let is_shown = |part: Component<'_>| match part {
        Component::Normal(name) => !name.as_encoded_bytes().starts_with(b"."),
        _ => false,
    };
    assert!(components.all(is_shown));
    assert!(
        !name
            .chars()
            .any(|letter| letter == '\\' || letter.is_control())
    );
    let escaped = |byte: u8| {
        if byte == b'/' {
            "/".to_owned()
        } else {
            format!("%{byte:02X}")
        }
    };
    let again: String = std::iter::once("/".to_owned())
        .chain(name.bytes().map(escaped))
        .collect();
    assert_eq!(file_name(&again), Some(name));
}

/// Decodes each `%XX`. `None` if one of them is invalid or the result is not UTF-8.
fn decoded(path: &[u8]) -> Option<String> {
    let mut parts = path.split(|&byte| byte == b'%');
    let mut bytes = parts.next()?.to_vec();
    for part in parts {
        let digits = part
            .get(..2)
            .filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))?;
        bytes.push(u8::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()?);
        bytes.extend(&part[2..]);
    }
    String::from_utf8(bytes).ok()
}
