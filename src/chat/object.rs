//! A JSON object that is being written: field by field, straight into the buffer that is sent.
//!
//! Not here: which fields an event has (`json.rs`).

use super::command::is_plain;
use super::event::PlaceName;
use serde::Serialize;
use std::rc::Rc;

/// An object that is being written.
pub(super) struct Object<'a> {
    out: &'a mut Vec<u8>,
    begun: bool,
}

impl<'a> Object<'a> {
    pub(super) fn begin(out: &'a mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, begun: false }
    }

    pub(super) fn end(self) {
        self.out.push(b'}');
    }

    /// Our keys are plain words.
    fn key(&mut self, key: &'static str) {
        self.out
            .extend_from_slice(if self.begun { b",\"" } else { b"\"" });
        self.out.extend_from_slice(key.as_bytes());
        self.out.extend_from_slice(b"\":");
        self.begun = true;
    }

    pub(super) fn put(mut self, key: &'static str, value: &(impl Serialize + ?Sized)) -> Self {
        self.key(key);
        write(self.out, value);
        self
    }

    /// A text of any length.
    pub(super) fn put_text(mut self, key: &'static str, text: &str) -> Self {
        if !is_plain(text) {
            return self.put(key, text);
        }
        self.key(key);
        self.out.reserve(text.len() + 2);
        self.out.push(b'"');
        self.out.extend_from_slice(text.as_bytes());
        self.out.push(b'"');
        self
    }

    /// A field that is absent where there is nothing to say.
    pub(super) fn put_some(self, key: &'static str, value: Option<impl Serialize>) -> Self {
        match value {
            Some(value) => self.put(key, &value),
            None => self,
        }
    }

    pub(super) fn put_object(
        mut self,
        key: &'static str,
        fill: impl FnOnce(Object<'_>) -> Object<'_>,
    ) -> Self {
        self.key(key);
        fill(Object::begin(self.out)).end();
        self
    }

    pub(super) fn put_list<T>(
        self,
        key: &'static str,
        items: &[T],
        fill: impl for<'b> Fn(&T, Object<'b>) -> Object<'b>,
    ) -> Self {
        self.put_array(key, items, |item, out| fill(item, Object::begin(out)).end())
    }

    pub(super) fn put_names(self, key: &'static str, names: &[Rc<str>]) -> Self {
        self.put_array(key, names, |name, out| write(out, &**name))
    }

    fn put_array<T>(
        mut self,
        key: &'static str,
        items: &[T],
        each: impl Fn(&T, &mut Vec<u8>),
    ) -> Self {
        self.key(key);
        self.out.push(b'[');
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                self.out.push(b',');
            }
            each(item, self.out);
        }
        self.out.push(b']');
        self
    }

    pub(super) fn put_place(self, place: &PlaceName) -> Self {
        match place {
            PlaceName::Channel(channel) => self.put("channel", &**channel),
            PlaceName::Conversation { conversation, .. } => {
                self.put("conversation", &**conversation)
            }
        }
    }
}

/// Appends a string with its escapes, a number or a flag.
fn write(out: &mut Vec<u8>, value: &(impl Serialize + ?Sized)) {
    let written = serde_json::to_writer(out, value);
    // A Vec takes every byte, and such values can always be written.
    debug_assert!(written.is_ok(), "{written:?}");
}
