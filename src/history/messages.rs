//! The messages of a place in memory, and the changes of each.
//!
//! The text of an edit is stored in the edited message only, and reactions are counted when a
//! message is read. So every page has the newest state.

use super::{Author, ChannelSettings, Kind, Proposal, Reaction, Record, Seq, Span};
use crate::time::UnixMillis;
use std::collections::VecDeque;
use std::rc::Rc;

/// The messages of a place, with numbers up to `newest` without a gap.
#[derive(Default)]
pub(super) struct Messages {
    pub(super) records: VecDeque<Record>,
    pub(super) newest: Seq,
    pub(super) bytes: usize,
    pub(super) used: u64,
    pub(super) settings: ChannelSettings,
    /// An owner removed it, and it has no message since.
    pub(super) is_removed: bool,
}

impl Messages {
    pub(super) fn span(&self) -> Span {
        Span {
            first: Seq(self.newest.0 + 1 - self.records.len() as u64),
            newest: self.newest,
        }
    }

    pub(super) fn get(&self, seq: Seq) -> Option<&Record> {
        let index = seq.0.checked_sub(self.span().first.0)?;
        self.records.get(index as usize)
    }

    /// Returns the messages above `after` and below `before`.
    pub(super) fn range(
        &self,
        after: Seq,
        before: Seq,
    ) -> impl DoubleEndedIterator<Item = &Record> {
        let start = self.records.partition_point(|it| it.seq <= after);
        let end = self.records.partition_point(|it| it.seq < before);
        self.records.range(start.min(end)..end)
    }

    /// Appends a message. If it is a change, applies it to the earlier message.
    pub(super) fn push(&mut self, what: &Rc<Proposal>, at: UnixMillis) {
        let mut kept = what.clone();
        match what.kind {
            Kind::Message | Kind::Deleted => {}
            Kind::React { of, .. } => self.update(of, |target| {
                target.changes.get_or_insert_default();
            }),
            Kind::Edit { of } => {
                // The edited message has the text.
                Rc::make_mut(&mut kept).text = Box::default();
                self.update(of, |target| {
                    let edited = Rc::make_mut(&mut target.what);
                    (edited.text, edited.owner) = (what.text.clone(), what.owner);
                    target.changes.get_or_insert_default().edited_at = Some(at);
                });
            }
            Kind::Delete { of } => {
                self.settings.pinned.take_if(|pinned| *pinned == of);
                let about = |it: &&Record| it.seq == of || it.what.changes() == Some(of);
                let about: Vec<_> = self.records.iter().filter(about).map(|it| it.seq).collect();
                for seq in about {
                    self.update(seq, |record| {
                        let what = Rc::make_mut(&mut record.what);
                        (what.kind, what.text) = (Kind::Deleted, Box::default());
                        record.changes = None;
                    });
                }
            }
        }
        self.newest.0 += 1;
        let record = Record {
            what: kept,
            seq: self.newest,
            at,
            changes: None,
        };
        self.bytes += record.bytes();
        self.records.push_back(record);
    }

    fn update(&mut self, seq: Seq, update: impl FnOnce(&mut Record)) {
        let first = self.span().first.0;
        let index = seq.0.saturating_sub(first) as usize;
        if let Some(record) = self.records.get_mut(index) {
            self.bytes -= record.bytes();
            update(record);
            self.bytes += record.bytes();
        }
    }

    /// Returns a message as `reader` sees it now.
    pub(super) fn present(&self, record: &Record, reader: Author) -> Record {
        let mut record = record.clone();
        if let Kind::Edit { of } = record.what.kind {
            let what = Rc::make_mut(&mut record.what);
            match self.get(of) {
                Some(target) => what.text = target.what.text.clone(),
                None => what.kind = Kind::Deleted,
            }
        }
        if let Some(changes) = &mut record.changes {
            changes.reactions = self.reactions(record.seq, reader);
        }
        record
    }

    fn reactions(&self, of: Seq, reader: Author) -> Vec<Reaction> {
        let mut authors: Vec<(&str, Author)> = Vec::new();
        for what in self.range(of, Seq(u64::MAX)).map(|record| &record.what) {
            match what.kind {
                Kind::React { of: other, on } if other == of => {
                    let author = (&*what.text, what.author);
                    authors.retain(|it| *it != author);
                    if on {
                        authors.push(author);
                    }
                }
                _ => {}
            }
        }
        let mut reactions: Vec<Reaction> = Vec::new();
        for (emoji, author) in authors {
            let mine = author == reader;
            match reactions.iter_mut().find(|it| &*it.emoji == emoji) {
                Some(known) => (known.count, known.mine) = (known.count + 1, known.mine || mine),
                None => reactions.push(Reaction {
                    emoji: emoji.into(),
                    count: 1,
                    mine,
                }),
            }
        }
        reactions
    }

    pub(super) fn drop_oldest(&mut self) {
        if let Some(oldest) = self.records.pop_front() {
            self.bytes -= oldest.bytes();
        }
        if self.records.len() < self.records.capacity() / 4 {
            self.records.shrink_to(self.records.len() * 2);
        }
    }
}
