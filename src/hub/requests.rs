//! What a connection does while it speaks HTTP: one request after another is answered, refused, or
//! becomes a WebSocket.
//!
//! Not here: which answer that is (`routes`), how heads are read (`http`), the life of the
//! connection (`connection`).

use super::connection::{Connection, Stage};
use super::endpoint::Desk;
use super::outbox::Source;
use super::routes::{Path, Reply};
use super::trace;
use crate::http::{Refusal, Requests, Response};
use crate::progress::Progress;

impl<S> Connection<S> {
    /// Returns how many bytes it took: to the end of one head at most.
    pub(super) fn take_request(&mut self, bytes: &[u8], desk: &mut Desk<'_>) -> usize {
        let Stage::Http {
            requests, served, ..
        } = &mut self.stage
        else {
            return bytes.len();
        };
        let begins = requests.held_bytes() == 0;
        let refused = |refusal| (bytes.len(), Err(refusal), None, false, false);
        let (used, reply, traced, keep_alive, bodiless) =
            match requests.receive(bytes, desk.limits.request_head_bytes) {
                Ok(Progress::NeedMore) => {
                    // The time of a head runs from its first byte, or from the accept; never from
                    // each byte.
                    if begins && *served {
                        self.since = desk.now.mono;
                    }
                    return bytes.len();
                }
                Ok(Progress::Done { value: head, used }) => {
                    let admitted = desk.admission.asked(&mut self.seat, &head, desk.limits);
                    let reply = admitted.and_then(|()| desk.router.route(&head, desk.metrics));
                    let is_traced = desk.limits.trace && trace::is_asked_for(head.query());
                    let traced = is_traced.then(|| head.as_bytes().to_vec());
                    (
                        used,
                        reply,
                        traced,
                        head.keeps_alive(),
                        head.method() == "HEAD",
                    )
                }
                Err(refusal) => refused(refusal),
            };
        match reply {
            Ok(Reply::Upgrade(_, Path::Chat)) if desk.full => {
                self.refuse(
                    &Refusal::unavailable(
                        "this server has as many users as --max-connections lets it have",
                    ),
                    desk,
                );
            }
            Ok(Reply::Upgrade(upgrade, path)) => self.upgrade(&upgrade, path, traced, desk),
            Ok(Reply::Answer(response)) => self.answer(response, keep_alive, bodiless, desk),
            Err(refusal) => {
                desk.metrics.refused.count(refusal.status);
                self.answer(
                    refusal.response(),
                    keep_alive && !refusal.closes,
                    bodiless,
                    desk,
                );
            }
        }
        used
    }

    /// Answers with a refusal and closes: where no request can be read, or none is wanted.
    pub(super) fn refuse(&mut self, refusal: &Refusal, desk: &mut Desk<'_>) {
        desk.metrics.refused.count(refusal.status);
        self.answer(refusal.response(), false, false, desk);
    }

    fn answer(
        &mut self,
        response: Response,
        keep_alive: bool,
        bodiless: bool,
        desk: &mut Desk<'_>,
    ) {
        let Self { outbox, id, .. } = self;
        desk.turn.write(id.index, outbox, Source::Http, |out| {
            response.encode_head(desk.now.unix, keep_alive, out)
        });
        if !bodiless {
            desk.turn.write_body(id.index, outbox, response.body);
        }
        match &mut self.stage {
            Stage::Http {
                requests,
                answering,
                served,
            } if keep_alive => {
                // Gives back what a gathered head took.
                **requests = Requests::default();
                (*answering, *served, self.since) = (true, true, desk.now.mono);
            }
            _ => self.begin_closing(desk.now.mono),
        }
    }
}
