//! Searches the texts of all channels and of one's own conversations.
//!
//! A search reads the messages themselves, newest first, in slices: a turn reads a fixed number of
//! bytes for all searches together. The messages found are read again when the answer is sent. So a
//! message that was deleted meanwhile is not in it, and one that was edited has its new text.
//!
//! A text contains another one if it does after NFKC and without regard to case.

use super::command::SearchQuery;
use super::error::CommandError;
use super::event::{Effect, Event};
use super::search_scan::{Position, Search, Unread, contains, fold};
use super::text::is_blank;
use super::{Applied, Chat, Context};
use crate::history::{Author, Kind, PageRequest, Place, Record, StoreError};
use crate::limits::{
    COST_OF_HEAVY_COMMAND, LIST_CONVERSATIONS, SEARCH_CHARS, SEARCH_PAGE_BYTES, SEARCH_TURN_BYTES,
    SEARCHES_SIDE_BY_SIDE,
};
use std::collections::BinaryHeap;

impl Chat {
    /// Begins a search. It is answered at the end of this turn or a later one.
    pub(super) fn search(&mut self, context: &mut Context<'_>, query: &SearchQuery) -> Applied {
        const BEFORE: &str = "before must come from the answer to an earlier search";
        context.outcome.cost = COST_OF_HEAVY_COMMAND;
        let author = context.author()?;
        if query.text.chars().all(is_blank) {
            return Err(CommandError::EMPTY);
        }
        if query.text.chars().nth(SEARCH_CHARS).is_some() {
            return Err(CommandError::too_long(SEARCH_CHARS));
        }
        let decode = |before| Position::decode(before).ok_or(CommandError::bad_field(BEFORE));
        let begin = query.before.as_deref().map(decode).transpose()?;
        let target = query.target.as_ref();
        let place = target.map(|target| self.readable_place(context, target));
        let unread = place.transpose()?.map(|place| [Unread::all(place)].into());
        let mut text = String::new();
        fold(&query.text, &mut text);
        // A connection's earlier search ends: it is answered with what it has found.
        let mut searches = self.searches.iter();
        let old = searches.position(|it| it.sender.address == context.address);
        if let Some(old) = old.and_then(|old| self.searches.remove(old)) {
            let answer = self.found(&old).map_err(|error| self.failed(error))?;
            self.answer_sender(&old.sender, answer, context.effects);
        }
        self.searches.push_back(Search {
            sender: context.sender(None),
            author,
            text: text.into(),
            limit: query.limit as usize,
            begin,
            unread,
            found: Vec::new(),
            has_more: false,
        });
        Ok(())
    }

    /// Returns whether a search is underway, so that the next turn begins at once.
    pub fn is_searching(&self) -> bool {
        !self.searches.is_empty()
    }

    /// Reads for the searches in turn until the budget is used up, and answers those that are done.
    pub(super) fn continue_searches(&mut self, effects: &mut Vec<Effect>) {
        let mut budget = SEARCH_TURN_BYTES;
        while budget > 0
            && let Some(mut search) = self.searches.pop_front()
        {
            if !self.clients.contains_key(&search.sender.address) {
                continue;
            }
            let unread = match search.unread.take() {
                Some(unread) => Ok(unread),
                None => self.all_unread(search.author),
            };
            let read = unread.and_then(|unread| {
                search.unread = Some(unread);
                search.read_slice(&mut *self.history, &mut budget)
            });
            let answer = match read {
                Ok(false) => {
                    let turn = self.searches.len().min(SEARCHES_SIDE_BY_SIDE - 1);
                    self.searches.insert(turn, search);
                    continue;
                }
                Ok(true) => self.found(&search),
                Err(error) => Err(error),
            };
            budget = budget.saturating_sub(SEARCH_PAGE_BYTES / 4);
            let answer = answer.unwrap_or_else(|error| Event::Error(self.failed(error)));
            self.answer_sender(&search.sender, answer, effects);
        }
    }

    /// Returns all places that a session can read.
    fn all_unread(&mut self, author: Author) -> Result<BinaryHeap<Unread>, StoreError> {
        let others = self.history.conversations(author, LIST_CONVERSATIONS)?;
        let conversations = others.iter().map(|row| Place::between(author, row.other));
        let channels = self.channels.summaries().map(|it| Place::Channel(it.name));
        Ok(channels.chain(conversations).map(Unread::all).collect())
    }

    /// Makes the answer from the messages that come before all unread ones.
    fn found(&mut self, search: &Search) -> Result<Event, StoreError> {
        let unread = search.unread.as_ref().and_then(BinaryHeap::peek);
        let unread = unread.map(|next| &next.below);
        let is_final = |it: &&Position| Some(*it) >= unread;
        let hits: Vec<_> = search.found.iter().take_while(is_final).collect();
        let (mut results, mut last, mut bytes) = (Vec::new(), None, 0);
        let mut buffer = String::new();
        for hit in &hits {
            let wanted = PageRequest::one(hit.seq, search.author);
            let mut page = Vec::new();
            self.history.page(&hit.place, wanted, &mut page)?;
            let matches = |it: &Record| {
                it.what.kind == Kind::Message && contains(&it.what.text, &search.text, &mut buffer)
            };
            if let Some(record) = page.pop().filter(matches) {
                bytes += record.weight();
                if bytes > SEARCH_PAGE_BYTES && !results.is_empty() {
                    break;
                }
                results.push(record);
            }
            last = Some(*hit);
        }
        let is_complete = last == hits.last().copied() && hits.len() == search.found.len();
        let is_read = search.unread.is_some() && unread.is_none();
        let more = !is_read || search.has_more || !is_complete;
        let before = last.or(search.begin.as_ref()).filter(|_| more);
        Ok(Event::Found {
            results,
            more,
            before: before.map(Position::encode),
        })
    }
}
