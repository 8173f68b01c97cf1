//! `--www DIR`: pages from a folder, for whoever changes them while the server runs.
//!
//! A name is opened part by part, each below the one before and none through a link: nothing that
//! stands in the folder, and
//! nobody who renames things in it meanwhile, leads outside. The folder itself may be a link; it is
//! looked up anew each time,
//! so that it can be replaced as a whole.
//!
//! Not here: which spellings of a path are none (`http::pages::file_name`), headers
//! (`http::pages::respond`).

use crate::http::Body;
use crate::http::pages::{Page, Pages, file_name, media_type};
use crate::limits::PAGE_FILE_BYTES;
use rustix::fs::{Mode, OFlags, open, openat};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::rc::Rc;

/// A folder with pages.
pub struct Folder {
    path: PathBuf,
}

impl Folder {
    /// Fails where there is no such folder, or it may not be entered.
    pub fn new(path: PathBuf) -> io::Result<Self> {
        let folder = Self { path };
        folder.open()?;
        Ok(folder)
    }

    fn open(&self) -> io::Result<OwnedFd> {
        Ok(open(
            &self.path,
            OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC,
            Mode::empty(),
        )?)
    }

    /// Opens a file below the folder. What stands there may be anything: a link is refused, and a
    /// pipe without a writer
    /// would block whoever opens it, and with him everybody.
    fn open_below(&self, name: &str) -> io::Result<File> {
        let mut opened = self.open()?;
        let mut parts = name.split('/').peekable();
        while let Some(part) = parts.next() {
            let folder = if parts.peek().is_some() {
                OFlags::DIRECTORY
            } else {
                OFlags::empty()
            };
            let flags = OFlags::RDONLY
                | OFlags::NOFOLLOW
                | OFlags::NONBLOCK
                | OFlags::NOCTTY
                | OFlags::CLOEXEC
                | folder;
            opened = openat(&opened, part, flags, Mode::empty())?;
        }
        Ok(File::from(opened))
    }
}

impl Pages for Folder {
    fn page(&mut self, path: &str) -> Option<Page> {
        let name = file_name(path)?;
        let file = self.open_below(&name).ok()?;
        let about = file.metadata().ok()?;
        if !about.is_file() || about.len() > PAGE_FILE_BYTES {
            return None;
        }
        let mut bytes = Vec::with_capacity(about.len() as usize);
        // It may grow while it is read.
        let count = file
            .take(PAGE_FILE_BYTES + 1)
            .read_to_end(&mut bytes)
            .ok()?;
        if count as u64 > PAGE_FILE_BYTES {
            return None;
        }
        // The length is that of what was read, not of what was announced: half of a file that is
        // just being written is not
        // the whole one, though both may bear the same time.
        let etag = format!(
            "\"{:x}-{count:x}-{:x}.{:x}\"",
            about.ino(),
            about.mtime(),
            about.mtime_nsec()
        );
        Some(Page {
            media_type: media_type(&name),
            etag,
            bytes: Body::Shared(Rc::new(bytes)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::path::Path;
    use std::process::Command;

    /// A folder of its own for each test, gone with it.
    struct Place(PathBuf);
    impl Place {
        fn new(test: &str) -> Self {
            let path =
                std::env::temp_dir().join(format!("parlor-folder-{test}-{}", std::process::id()));
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
        folder
            .page(path)
            .map(|page| String::from_utf8(page.bytes.as_bytes().to_vec()).unwrap())
    }

    #[test]
    fn regular_files_in_it_and_nothing_else() {
        let place = Place::new("files");
        for name in [
            "www/index.html",
            "www/below/a b.js",
            "www/.secret",
            "www/below/.hidden/x",
            "outside",
            "www/%2e%2e",
        ] {
            place.write(name, name);
        }
        let within = |name: &str| place.0.join("www").join(name);
        symlink("../outside", within("out")).unwrap();
        symlink("index.html", within("in")).unwrap();
        symlink("..", within("up")).unwrap();
        symlink("below", within("folder")).unwrap();
        symlink("/", within("root")).unwrap();
        symlink("loop", within("loop")).unwrap();
        assert!(
            Command::new("mkfifo")
                .arg(within("pipe"))
                .status()
                .unwrap()
                .success()
        );
        let socket = std::os::unix::net::UnixListener::bind(within("socket")).unwrap();
        let table: &[(&str, &str, Option<&str>)] = &[
            ("the index", "/", Some("www/index.html")),
            ("a file below", "/below/a%20b.js", Some("www/below/a b.js")),
            (
                "a name that only looks like a way out",
                "/%252e%252e",
                Some("www/%2e%2e"),
            ),
            ("no such file", "/nothing", None),
            ("a folder", "/below", None),
            ("a file taken for a folder", "/index.html/x", None),
            ("a hidden file", "/.secret", None),
            ("in a hidden folder", "/below/.hidden/x", None),
            ("the folder above", "/../outside", None),
            ("the folder above, escaped", "/%2e%2e/outside", None),
            (
                "the folder above, within one part",
                "/below%2f..%2f..%2foutside",
                None,
            ),
            ("an absolute name", "//etc/passwd", None),
            ("a link to the outside", "/out", None),
            ("a link to the inside", "/in", None),
            ("through a link upwards", "/up/outside", None),
            (
                "through a link to a folder within",
                "/folder/a%20b.js",
                None,
            ),
            ("through a link to the root", "/root/etc/passwd", None),
            ("a link to itself", "/loop", None),
            ("a pipe that nobody writes to", "/pipe", None),
            ("a socket", "/socket", None),
            (
                "a name too long for any file system",
                &format!("/{}", "x".repeat(5_000)),
                None,
            ),
        ];
        for (name, path, expected) in table {
            assert_eq!(
                text(&mut place.folder(), path).as_deref(),
                *expected,
                "{name}"
            );
        }
        drop(socket);
    }

    #[test]
    fn files_up_to_the_limit() {
        let place = Place::new("limit");
        let sparse = |name: &str, length| {
            fs::File::create(place.0.join("www").join(name))
                .unwrap()
                .set_len(length)
                .unwrap()
        };
        sparse("most", PAGE_FILE_BYTES);
        sparse("more", PAGE_FILE_BYTES + 1);
        sparse("none", 0);
        let length = |path| {
            place
                .folder()
                .page(path)
                .map(|page| page.bytes.as_bytes().len() as u64)
        };
        assert_eq!(
            (length("/most"), length("/more"), length("/none")),
            (Some(PAGE_FILE_BYTES), None, Some(0))
        );
    }

    #[test]
    fn a_changed_file_has_another_tag() {
        let place = Place::new("tags");
        let mut folder = place.folder();
        let mut tag = |text: &str| {
            place.write("www/a.css", text);
            let page = folder.page("/a.css").unwrap();
            assert_eq!(
                (page.media_type, page.bytes.as_bytes()),
                ("text/css; charset=utf-8", text.as_bytes())
            );
            assert!(
                page.etag.starts_with('"') && page.etag.ends_with('"') && !page.etag.contains(','),
                "{}",
                page.etag
            );
            page.etag
        };
        assert_ne!(tag("a {}"), tag("a {} "));
        let before = tag("b {}");
        let file = fs::File::options()
            .write(true)
            .open(place.0.join("www/a.css"))
            .unwrap();
        file.set_modified(std::time::SystemTime::UNIX_EPOCH)
            .unwrap();
        assert_ne!(folder.page("/a.css").unwrap().etag, before);
        assert_eq!(folder.page("/a.css"), folder.page("/a.css"));
    }

    #[test]
    fn a_folder_that_is_replaced_is_found_again() {
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

    #[test]
    fn what_is_no_folder() {
        let place = Place::new("none");
        place.write("file", "");
        assert!(Folder::new(place.0.join("file")).is_err());
        assert!(Folder::new(place.0.join("nothing")).is_err());
        assert!(Folder::new(Path::new("").to_owned()).is_err());
    }
}
