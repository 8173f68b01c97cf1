//! `--www DIR`: pages from a folder, which may change while the server runs.
//!
//! A name is opened part by part, each below the one before and never through a link, so neither
//! the content of the folder nor a rename during the request leads outside. The folder itself may
//! be a link and is opened for each request, so that it can be replaced as a whole.

use crate::http::Body;
use crate::http::pages::{Page, Pages, file_name, media_type};
use crate::limits::PAGE_FILE_BYTES;
use rustix::fs::{Mode, OFlags, open, openat};
use std::collections::HashMap;
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::rc::{Rc, Weak};

const FLAGS: OFlags = OFlags::RDONLY.union(OFlags::CLOEXEC);

/// A folder with pages.
pub struct Folder {
    path: PathBuf,
    /// Files that responses still hold, by the tag of the version: a file is in memory once,
    /// however many ask for it, and is freed with the last response.
    held: HashMap<String, Weak<Vec<u8>>>,
}

impl Folder {
    /// Fails if the folder can't be opened.
    pub fn new(path: PathBuf) -> io::Result<Self> {
        let folder = Self {
            path,
            held: HashMap::new(),
        };
        folder.open()?;
        Ok(folder)
    }

    fn open(&self) -> io::Result<OwnedFd> {
        Ok(open(&self.path, FLAGS | OFlags::DIRECTORY, Mode::empty())?)
    }

    /// Opens a file below the folder. A link is refused; a pipe without a writer does not block.
    fn open_below(&self, name: &str) -> io::Result<File> {
        let mut opened = self.open()?;
        let mut parts = name.split('/').peekable();
        while let Some(part) = parts.next() {
            let mut flags = FLAGS | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
            flags.set(OFlags::DIRECTORY, parts.peek().is_some());
            opened = openat(&opened, part, flags, Mode::empty())?;
        }
        Ok(File::from(opened))
    }

    /// Reads a file, unless the same version of it is in memory already. Returns its tag and bytes.
    fn read(&mut self, file: File, about: &Metadata) -> Option<(String, Rc<Vec<u8>>)> {
        let known = tag(about, about.len());
        if let Some(bytes) = self.held.get(&known).and_then(Weak::upgrade) {
            return Some((known, bytes));
        }
        let mut bytes = Vec::with_capacity(about.len() as usize);
        // It may grow while it is read.
        file.take(PAGE_FILE_BYTES + 1)
            .read_to_end(&mut bytes)
            .ok()?;
        let length = bytes.len() as u64;
        if length > PAGE_FILE_BYTES {
            return None;
        }
        // The tag has the length that was read, because a file that is being written may have the
        // same time when it is complete.
        let tag = tag(about, length);
        let bytes = Rc::new(bytes);
        self.held.retain(|_, held| held.strong_count() > 0);
        self.held.insert(tag.clone(), Rc::downgrade(&bytes));
        Some((tag, bytes))
    }
}

/// The entity tag of a version of a file.
fn tag(about: &Metadata, length: u64) -> String {
    let (device, inode) = (about.dev(), about.ino());
    let (seconds, nanoseconds) = (about.mtime(), about.mtime_nsec());
    format!("\"{device:x}-{inode:x}-{length:x}-{seconds:x}.{nanoseconds:x}\"")
}

impl Pages for Folder {
    fn page(&mut self, path: &str) -> Option<Page> {
        let name = file_name(path)?;
        let file = self.open_below(&name).ok()?;
        let about = file.metadata().ok()?;
        if !about.is_file() || about.len() > PAGE_FILE_BYTES {
            return None;
        }
        let (etag, bytes) = self.read(file, &about)?;
        Some(Page {
            media_type: media_type(&name),
            etag,
            bytes: Body::Shared(bytes),
            is_immutable: false,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::rows;
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::process::Command;

    /// A folder for one test, removed after it.
    struct Place(PathBuf);

    impl Place {
        fn new(test: &str) -> Self {
            let name = format!("parlor-folder-{test}-{}", std::process::id());
            let path = std::env::temp_dir().join(name);
            let _ = fs::remove_dir_all(&path);
            fs::create_dir_all(path.join("www/below/.hidden")).unwrap();
            Self(path)
        }

        fn write(&self, name: &str, text: &str) {
            fs::write(self.0.join(name), text).unwrap();
        }

        fn folder(&self) -> Folder {
            Folder::new(self.0.join("www")).unwrap()
        }
    }

    impl Drop for Place {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn text(folder: &mut Folder, path: &str) -> Option<String> {
        let page = folder.page(path)?;
        Some(String::from_utf8(page.bytes.as_bytes().to_vec()).unwrap())
    }

    /// What it is, the path, and the file that is served.
    const FILES: &str = "
        the index                             | /                            | www/index.html
        a file below                          | /below/a%20b.js              | www/below/a b.js
        a name that only looks like a way out | /%252e%252e                  | www/%2e%2e
        no such file                          | /nothing                     |
        a folder                              | /below                       |
        a file taken for a folder             | /index.html/x                |
        in a hidden folder                    | /below/.hidden/x             |
        the folder above                      | /../outside                  |
        the folder above, within one part     | /below%2f..%2f..%2foutside   |
        a link to the outside                 | /out                         |
        a link to the inside                  | /in                          |
        through a link upwards                | /up/outside                  |
        through a link to a folder within     | /folder/a%20b.js             |
        through a link to the root            | /root/etc/passwd             |
        a link to itself                      | /loop                        |
        a pipe without a writer               | /pipe                        |
        a socket                              | /socket                      |
        a name too long for any file system   | /LONG                        |";

    #[test]
    fn folder_serves_regular_files_and_nothing_else() {
        let place = Place::new("files");
        let names = "www/index.html|www/below/a b.js|www/.secret|www/below/.hidden/x|outside|\
            www/%2e%2e";
        names.split('|').for_each(|name| place.write(name, name));
        let within = |name: &str| place.0.join("www").join(name);
        let links = "../outside out|index.html in|.. up|below folder|/ root|loop loop";
        for (to, name) in links.split('|').filter_map(|link| link.split_once(' ')) {
            symlink(to, within(name)).unwrap();
        }
        let pipe = Command::new("mkfifo").arg(within("pipe")).status();
        assert!(pipe.unwrap().success());
        let _socket = std::os::unix::net::UnixListener::bind(within("socket")).unwrap();
        for [name, path, expected] in rows(FILES) {
            let path = path.replace("LONG", &"x".repeat(5_000));
            let found = text(&mut place.folder(), &path);
            assert_eq!(found.unwrap_or_default(), expected, "{name}");
        }
    }

    #[test]
    fn file_over_the_limit_is_not_found() {
        let place = Place::new("limit");
        let longest = PAGE_FILE_BYTES;
        for (length, expected) in [(0, true), (longest, true), (longest + 1, false)] {
            let file = fs::File::create(place.0.join("www/sparse")).unwrap();
            file.set_len(length).unwrap();
            let page = place.folder().page("/sparse");
            let found = page.map(|page| page.bytes.as_bytes().len() as u64);
            assert_eq!(found, expected.then_some(length));
        }
    }

    #[test]
    fn changed_file_has_another_tag() {
        let place = Place::new("tags");
        let mut folder = place.folder();
        let mut tag = |text: &str| {
            place.write("www/a.css", text);
            let page = folder.page("/a.css").unwrap();
            let media = (page.media_type, page.bytes.as_bytes());
            assert_eq!(media, ("text/css; charset=utf-8", text.as_bytes()));
            let inner = page.etag.trim_matches('"');
            assert!(inner.len() + 2 == page.etag.len() && !inner.contains(['"', ',']));
            page.etag
        };
        assert_ne!(tag("a {}"), tag("a {} "));
        let before = tag("b {}");
        let file = fs::File::options()
            .write(true)
            .open(place.0.join("www/a.css"));
        file.unwrap()
            .set_modified(std::time::SystemTime::UNIX_EPOCH)
            .unwrap();
        assert_ne!(folder.page("/a.css").unwrap().etag, before);
        assert_eq!(folder.page("/a.css"), folder.page("/a.css"));
    }

    #[test]
    fn file_is_in_memory_once_while_it_is_asked_for() {
        let place = Place::new("once");
        let mut folder = place.folder();
        place.write("www/large", "first");
        let shared = |page: Option<Page>| match page.unwrap().bytes {
            Body::Shared(bytes) => bytes,
            other => panic!("{other:?}"),
        };
        let readers: Vec<_> = (0..100).map(|_| shared(folder.page("/large"))).collect();
        assert_eq!(Rc::strong_count(&readers[0]), 100);
        // Another version does not change what is being sent.
        place.write("www/large", "second");
        assert_eq!(*shared(folder.page("/large")), b"second");
        assert_eq!(**readers.last().unwrap(), b"first");
        // The last response frees the bytes; the table does not grow.
        drop(readers);
        place.write("www/other", "");
        shared(folder.page("/other"));
        assert_eq!(folder.held.len(), 1);
    }

    #[test]
    fn replaced_folder_is_found_again() {
        let place = Place::new("replaced");
        fs::create_dir(place.0.join("one")).unwrap();
        fs::create_dir(place.0.join("two")).unwrap();
        place.write("one/a", "1");
        place.write("two/a", "2");
        symlink("one", place.0.join("now")).unwrap();
        let mut folder = Folder::new(place.0.join("now")).unwrap();
        assert_eq!(text(&mut folder, "/a").as_deref(), Some("1"));
        symlink("two", place.0.join("next")).unwrap();
        fs::rename(place.0.join("next"), place.0.join("now")).unwrap();
        assert_eq!(text(&mut folder, "/a").as_deref(), Some("2"));
        fs::remove_file(place.0.join("now")).unwrap();
        assert_eq!(text(&mut folder, "/a"), None);
    }
}
