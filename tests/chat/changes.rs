//! `edit`, `delete`, `react` and `pin`: the events, their receivers and order, and the errors.

conversations! {
fn changes_reach_the_channel_and_are_acknowledged() r#"
Ada,Ben enters tea
Ada > typo
skip
Ada > {"type":"edit","channel":"tea","seq":1,"text":"text","nonce":"n","id":1}
Ada,Ben = {"type":"edited","channel":"tea","from":"Ada","author":1,"of":1,"text":"text","seq":2,
 "at":$START,"nonce":"n"}
Ada = {"type":"ack","channel":"tea","seq":2,"at":$START,"id":1}
Ben > {"type":"react","channel":"tea","seq":1,"emoji":"👍","id":1}
Ada,Ben = {"type":"reacted","channel":"tea","from":"Ben","author":2,"of":1,"emoji":"👍","on":true,
 "seq":3,"at":$START}
Ben < {"type":"ack","seq":3}
Ben > {"type":"react","channel":"tea","seq":1,"emoji":"👍","id":2}
Ben < {"type":"ack","seq":1,"id":2}
Ben > /history
Ben = {"type":"history","channel":"tea","more":false,"first":1,"messages":[
 {"type":"message","channel":"tea","from":"Ada","author":1,"text":"text","seq":1,"at":$START,
  "edited_at":$START,"reactions":[{"emoji":"👍","count":1,"mine":true}]},
 {"type":"edited","channel":"tea","from":"Ada","author":1,"of":1,"text":"text","seq":2,
  "at":$START,"nonce":"n"},
 {"type":"reacted","channel":"tea","from":"Ben","author":2,"of":1,"emoji":"👍","on":true,"seq":3,
  "at":$START}]}
Ada > {"type":"delete","channel":"tea","seq":1,"id":3}
Ada,Ben = {"type":"deleted","channel":"tea","by":"Ada","of":1,"seq":4,"at":$START}
Ada < {"type":"ack","seq":4}
Ada > /join tea
Ada < {"type":"joined","seq":4,"history":[{"type":"deleted_message","channel":"tea","seq":1},
 {"type":"deleted_message","seq":2},{"type":"deleted_message","seq":3},{"type":"deleted","seq":4}]}
Ada,Ben quiet"#

fn changes_that_are_not_allowed_are_refused() r#"
Ada,Ben enters tea
Cleo enters
Ada > text
skip
Cleo ! not_in_channel {"type":"react","channel":"tea","seq":1,"emoji":"👍"}
cost 1
Ben ! not_yours {"type":"edit","channel":"tea","seq":1,"text":"mine"}
cost 1
Ben ! not_yours {"type":"delete","channel":"tea","seq":1}
cost 1
Ada ! empty {"type":"edit","channel":"tea","seq":1,"text":" "}
cost 1
Ada ! no_such_message {"type":"edit","channel":"tea","seq":9,"text":"x"}
cost 1
Ada ! no_such_conversation {"type":"delete","conversation":"c1-2","seq":1}
cost 1
Ada > /history
Ada < {"type":"history","messages":[{"text":"text","edited_at":null}]}
Ben > /own key
Ben > {"type":"writing","channel":"tea","who":"owner"}
Ada ! read_only /edit 1 calm
Ada ! read_only /react 1 👍
Ben > {"type":"mute","user":"Ada","minutes":1}
Ada ! muted /edit 1 calm
Ben > /delete 1
Ada = {"type":"deleted","channel":"tea","by":"Ben","of":1,"seq":2,"at":$START,"owner":true}"#

fn private_messages_are_changed_by_their_author() r#"
Ada,Ben enters
Ada > /msg Ben secret
Ben quits
skip
Ada > {"type":"edit","conversation":"c1-2","seq":1,"text":"text","id":1}
Ada = {"type":"edited","conversation":"c1-2","from":"Ada","author":1,"of":1,"text":"text","seq":2,
 "at":$START}
Ada < {"type":"ack","conversation":"c1-2","seq":2}
Bob > {"type":"hello","name":"Bob","session":"$Ben"}
Bob ! not_yours {"type":"delete","conversation":"c1-2","seq":1}
Bob > {"type":"react","conversation":"c1-2","seq":1,"emoji":"👍"}
Ada,Bob < {"type":"reacted","seq":3}"#

fn owner_pins_one_message_until_it_is_deleted() r#"
Ada,Ben enters tea
Ben > one
Ben > two
Ben > /react 1 👍
Ada > /own key
skip
Ada ! no_such_message /pin 3
Ada ! no_such_message {"type":"pin","channel":"tea","seq":9}
Ada > {"type":"pin","channel":"tea","seq":1,"id":1}
Ada = {"type":"channel_changed","channel":"tea","writing":"all","pinned":1,"id":1}
Ben = {"type":"channel_changed","channel":"tea","writing":"all","pinned":1}
Ada > /pin 2
Ben > /delete 1
Ben < {"type":"channel_changed","pinned":2}
Ben > /join tea
Ben < {"type":"joined","pinned":2}
Ben > /delete 2
Ada,Ben < {"type":"deleted","of":1}
Ada,Ben < {"type":"deleted","of":2}
Ben = {"type":"channel_changed","channel":"tea","writing":"all","pinned":null}
Ben quiet
Ben > /join tea
Ben < {"type":"joined","pinned":null}"#

/// A client that applies what it receives in order never holds a deleted text at the end.
fn text_deleted_in_its_turn_is_not_published() r#"
Ada,Ben enters tea
Ada > one
skip
Ben + {"type":"history","channel":"tea"}
Ada + /edit 1 two
Ada + three
Ada + /delete 1
Ada + /delete 3
Ben + /react 1 👍
commit
Ben < {"type":"history","messages":[{"text":"one","seq":1}]}
Ben = {"type":"deleted_message","channel":"tea","seq":2}
Ben = {"type":"deleted_message","channel":"tea","seq":3}
Ben < {"type":"deleted","of":1,"seq":4}
Ben < {"type":"deleted","of":3,"seq":5}
Ben < {"type":"error","code":"no_such_message"}
Ben quiet"#
}
