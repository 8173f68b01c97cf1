//! Owners: the key, and what an owner's connection can do. The key is `key`.

use crate::script::play;

#[test]
fn own_takes_the_key_and_marks_messages() {
    play(
        r#"
Ada,Ben enters tea
Tab of Ada
Tab > /join tea
Ada > {"type":"own","key":"key","id":1}
Ada = {"type":"owned","on":true,"muted":[],"kicked":[],"id":1}
cost 5
skip
Ada > please stop
Ben = {"type":"message","channel":"tea","from":"Ada","author":1,"text":"please stop","seq":1,
 "at":$START,"owner":true}
skip
Tab > another connection of the same user
Ben < {"type":"message","owner":null}
Ada > /msg Ben psst
Ben < {"type":"direct","owner":null}
Ben > /history
Ben < {"type":"history","messages":[{"seq":1,"owner":true},{"seq":2,"owner":null}]}
skip
Ada > {"type":"own","key":null}
Ada < {"type":"owned","on":false}
Ada > not any more
Ben < {"type":"message","owner":null}
Eve ! hello_first {"type":"own","key":"key"}
Eve > /nick Eve
Eve ! bad_field {"type":"own","key":7}
Eve ! bad_key /own kez
Eve > /own key
Eve < {"type":"owned","on":true}"#,
    );
}

#[test]
fn wrong_keys_of_one_address_are_limited() {
    let mut script = play("Ada,Ben enters");
    for n in 0..10 {
        script.play(&format!(
            "{} ! bad_key /own {n}\ncost 5",
            ["Ada", "Ben"][n % 2]
        ));
    }
    script.play(
        r#"
Ada ! rate_limited /own key
wait 59999
Ben ! rate_limited /own key
wait 1
Ada > /own key"#,
    );
}
