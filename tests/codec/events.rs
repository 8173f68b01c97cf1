//! A message as JSON: serde_json parses it, and [`Record::weight`] is an upper bound. tests/chat
//! covers all other events.

use parlor::chat::codec::encode;
use parlor::chat::event::Event;
use parlor::history::{Author, Changes, Kind, Place, Proposal, Reaction, Record, Seq};
use parlor::testing::Random;
use parlor::time::UnixMillis;
use serde_json::Value;
use std::rc::Rc;

fn encoded(event: &Event) -> String {
    let mut out = b"before".to_vec();
    encode(event, None, &mut out);
    let text = String::from_utf8(out).expect("JSON is UTF-8");
    text.strip_prefix("before").expect("appended").to_owned()
}

#[test]
fn record_weighs_at_least_its_json() {
    let pieces = "\" \\ \n \t / < a é \u{2028} \u{FEFF} \u{FFFF} 😀 \u{10FFFF} \\u0041 \u{202E}";
    let pieces: Vec<_> = pieces.split(' ').collect();
    let mut random = Random::new(7);
    for round in 0..20_000 {
        let most = if round % 100 == 0 { 4_000 } else { 20 };
        let name = |random: &mut Random| -> Rc<str> {
            random.text(&["a", "é", "東", "\u{2070E}", "."], 32).into()
        };
        let largest = Author((1 << 53) - 1);
        let private = random.below(2) == 0;
        let of = Seq(u64::MAX);
        let kinds = [
            Kind::Message,
            Kind::Message,
            Kind::Edit { of },
            Kind::Delete { of },
        ];
        let kind = kinds[random.below(4)];
        let what = Rc::new(Proposal {
            kind,
            place: match private {
                true => Place::between(largest, largest),
                false => Place::Channel(name(&mut random)),
            },
            author: largest,
            from: name(&mut random),
            to: private.then(|| name(&mut random)),
            text: random.text(&pieces, most).into(),
            action: !private && random.below(2) == 0,
            owner: random.below(2) == 0,
            nonce: (random.below(2) == 0)
                .then(|| random.text(&["\"", "\\", "é", "x", "😀"], 64).into()),
        });
        let (seq, at) = (Seq(u64::MAX), UnixMillis(u64::MAX));
        let record = Record {
            what: what.clone(),
            seq,
            at,
            changes: (random.below(2) == 0).then(|| {
                let reaction = |_| Reaction {
                    emoji: random.text(&["\"", "\\", "👍"], 8).into(),
                    count: u64::from(u32::MAX),
                    mine: false,
                };
                Box::new(Changes {
                    edited_at: Some(UnixMillis(u64::MAX)),
                    reactions: (0..20).map(reaction).collect(),
                })
            }),
        };
        let text = encoded(&Event::Message(record.clone()));
        // In a page, a comma follows.
        assert!(
            record.weight() > text.len(),
            "{} for {text}",
            record.weight()
        );
        let read: Value = serde_json::from_str(&text).unwrap();
        if kind != Kind::Message {
            continue;
        }
        let (text, from) = (read["text"].as_str(), read["from"].as_str());
        assert_eq!((text, from), (Some(&*what.text), Some(&*what.from)));
        let (nonce, to) = (read["nonce"].as_str(), read["to"].as_str());
        assert_eq!((nonce, to), (what.nonce.as_deref(), what.to.as_deref()));
    }
}
