//! Commands from JSON: the fields of each, and the errors of invalid messages.

use parlor::chat::command::{Command, Request, RequestId};
use parlor::chat::error::CommandError;

/// The code of the error, or `ok`.
fn outcome(request: &Request) -> &'static str {
    request
        .command
        .as_ref()
        .map_or_else(|error| error.code, |_| "ok")
}

fn code(json: &str) -> &'static str {
    outcome(&Request::parse(json))
}

/// The fields, and the command as `{:?}` prints it. `TO`, `OF`, `NEWEST` and `TEXT` are short for
/// fields.
const COMMANDS: &str = r#"
"hello","name":"Ada"
   = Hello(Hello { name: "Ada", session: None, password: None, key: None })
"hello","name":"Ada","session":"s","password":"p","key":"k"
   = Hello(Hello { name: "Ada", session: Some("s"), password: Some("p"), key: Some("k") })
"rename","name":"Ada"                  = Rename { name: "Ada" }
"join","channel":"a"                   = Join { channel: "a", since: None }
"join","channel":"a","since":0         = Join { channel: "a", since: Some(Seq(0)) }
"leave","channel":"a"                  = Leave { channel: Some("a") }
"message","channel":"a","text":"hi"    = Send(TO Channel("a"), TEXT false, nonce: None })
"message","channel":"a","text":"hi","action":false
                                       = Send(TO Channel("a"), TEXT false, nonce: None })
"message","channel":"a","text":"hi","action":true,"nonce":"n"
                                       = Send(TO Channel("a"), TEXT true, nonce: Some("n") })
"direct","to":"Bob","text":"hi","nonce":"n"
                                       = Send(TO User("Bob"), TEXT false, nonce: Some("n") })
"direct","conversation":"c","text":"hi" = Send(TO Conversation("c"), TEXT false, nonce: None })
"edit","channel":"a","seq":7,"text":"hi"
                      = Change(Edit { of: Seq(7) }, TO Channel("a"), TEXT false, nonce: None })
"delete","conversation":"c","seq":7,"nonce":"n"
          = Change(Delete { of: Seq(7) }, TO Conversation("c"), NO_TEXT false, nonce: Some("n") })
"react","channel":"a","seq":7,"emoji":"👍","on":false
          = Change(React { of: Seq(7), on: false }, TO Channel("a"), EMOJI false, nonce: None })
"pin","channel":"a","seq":7            = Pin { channel: Some("a"), seq: Some(Seq(7)) }
"pin","channel":"a","seq":null         = Pin { channel: Some("a"), seq: None }
"search","text":"hi"
            = Search(SearchQuery { text: "hi", target: None, before: None, limit: 20 })
"search","text":"hi","conversation":"c","before":"5.9.#a","limit":50
            = Search(SearchQuery { text: "hi", target: Some(Conversation("c")),
 before: Some("5.9.#a"), limit: 50 })
"typing","channel":"a"                 = Typing { target: Channel("a") }
"typing","conversation":"c"            = Typing { target: Conversation("c") }
"history","channel":"a"                = History(OF Channel("a"), NEWEST limit: 50 })
"history","channel":"a","before":7,"limit":1
            = History(OF Channel("a"), before: Some(Seq(7)), after: None, limit: 1 })
"history","channel":"a","after":9007199254740991,"limit":200
  = History(OF Channel("a"), before: None, after: Some(Seq(9007199254740991)), limit: 200 })
"history","conversation":"c"           = History(OF Conversation("c"), NEWEST limit: 50 })
"who"                                  = Who { channel: None }
"who","channel":"a"                    = Who { channel: Some("a") }
"channels"                             = Channels
"own","key":"k"                        = Own { key: Some("k") }
"own"                                  = Own { key: None }
"mute","user":"Ben","minutes":525600   = Sanction { kick: false, user: "Ben", minutes: 525600 }
"kick","user":"Ben","minutes":0        = Sanction { kick: true, user: "Ben", minutes: 0 }
"door","open":false                    = Door { open: false }
"writing","channel":"a","who":"all"    = Writing { channel: Some("a"), who: All }
"writing","channel":"a","who":"owner"  = Writing { channel: Some("a"), who: Owner }
"writing","channel":"a","who":86400    = Writing { channel: Some("a"), who: Slow(86400) }
"clear","channel":"a"                  = Clear { channel: Some("a") }
"remove_channel","channel":"a"         = RemoveChannel { channel: "a" }
"trace"                                = Trace { on: true }
"trace","on":false                     = Trace { on: false }
"#;

#[test]
fn commands_have_the_fields_of_the_protocol() {
    let rows = COMMANDS.replace("\n ", " ").replace("TO ", "Draft { to: ");
    let rows = rows
        .replace("OF ", "Query { target: ")
        .replace("NEWEST ", "before: None, after: None, ")
        .replace("NO_TEXT ", "text: \"\", action: ")
        .replace("EMOJI ", "text: \"👍\", action: ")
        .replace("TEXT ", "text: \"hi\", action: ");
    for (fields, command) in rows.lines().filter_map(|row| row.split_once(" = ")) {
        for (id, number) in [("", None), (r#""id":7,"#, Some(7)), (r#""id":null,"#, None)] {
            let json = format!(r#"{{{id}"type":{fields}}}"#);
            let request = Request::parse(&json);
            assert_eq!(
                format!("{:?}", request.command),
                format!("Ok({command})"),
                "{json}"
            );
            assert_eq!(request.id, number.map(RequestId), "{json}");
            let is_free = command.starts_with("Hello") || command.starts_with("Trace");
            assert_eq!(request.needs_user, !is_free, "{json}");
        }
    }
    let json = r#"{"type":"try","frames":"8100"}"#;
    assert_eq!(Request::parse(json).command, Ok(Command::Try(json.into())));
}

#[test]
fn json_spellings_are_equivalent() {
    let nested = format!("{}{}", "[".repeat(30_000), "]".repeat(30_000));
    let deep = format!(r#"{{"type":"who","channel":"a","x":{nested}}}"#);
    let table = [
        " \t\r\n{ \"type\" : \"who\" ,\n\"channel\":\"a\" } \n",
        "\u{FEFF}{\"type\":\"who\",\"channel\":\"a\"}",
        "\u{3000}{\"type\":\"who\",\"channel\":\"a\"}",
        r#"{"\u0074ype":"\u0077ho","channel":"\u0061"}"#,
        r#"{"type":"who","channel":"a","x":1,"x":[{"y":null}],"":true}"#,
        r#"{"type":"who","channel":"a","text":5,"limit":"x","action":[]}"#,
        r#"{"type":"who","channel":"a","text":null,"since":null}"#,
        r#"{"type":"who","channel":"a","x":-1e99999,"limit":1e99999}"#,
        r#"{"type":"who","channel":"a","x":["\ud83d\ude00 \\ud83d"],"text":"\ud83d"}"#,
        &deep,
    ];
    let channel = Some("a".into());
    let who = Ok(Command::Who { channel });
    for json in table {
        assert_eq!(Request::parse(json).command, who, "{json:.60}");
    }
    let table = [
        (r#"\ud83d\ude00\u00e9\n\t\"\\\/"#, "😀é\n\t\"\\/"),
        (" \u{2028}\u{FEFF}\u{200D} ", " \u{2028}\u{FEFF}\u{200D} "),
    ];
    for (written, expected) in table {
        let json = format!(r#"{{"type":"message","channel":"a","text":"{written}"}}"#);
        match Request::parse(&json).command {
            Ok(Command::Send(draft)) => assert_eq!(&*draft.text, expected),
            other => panic!("{json}: {other:?}"),
        }
    }
}

#[test]
fn invalid_json_is_bad_json() {
    let table = [
        "{",
        r#"{"type":"who"}}"#,
        r#"{"type":"who"}{"type":"who"}"#,
        r#"{"type":"who"} please"#,
        "{\"type\":\"who\"}\u{FEFF}",
        "{type:who}",
        "{'type':'who'}",
        r#"{"type":"who",}"#,
        r#"{"type"}"#,
        r#"{"type":"who"/**/}"#,
        r#"{"type":"who","id":01}"#,
        r#"{"type":"who","id":+1}"#,
        r#"{"type":"who","id":NaN}"#,
        "{\"type\":\"who\",\"x\":\"\n\"}",
        r#"{"type":"who","x":"\q"}"#,
        r#"{"type":"who","x":"\u12"}"#,
        r#"{"type":"who","x":[}]}"#,
        r#"{"type":"frobnicate","x":[1,]}"#,
        r#"{"id":-1,"type":"who""#,
        // Known keys that appear twice.
        r#"{"type":"who","type":"who"}"#,
        r#"{"type":"who","channel":"a","ch\u0061nnel":"a"}"#,
        r#"{"type":"who","channel":null,"channel":"a"}"#,
        r#"{"id":1,"type":"who","id":1}"#,
        r#"{"type":"who","limit":1,"limit":1}"#,
        // Halves of surrogate pairs.
        r#"{"type":"message","channel":"a","text":"\ud83d"}"#,
        r#"{"type":"message","channel":"a","text":"\ude00"}"#,
        r#"{"type":"message","channel":"a","text":"\ude00\ud83d"}"#,
        r#"{"type":"who","channel":"\uD83D\u0061"}"#,
        r#"{"type":"who","channel":"\ud83d\\ude00"}"#,
        r#"{"type":"typing","channel":"\ud83d"}"#,
        r#"{"type":"typing","channel":"a","conversation":"\ud83d"}"#,
        r#"{"type":"who","\ud800":1}"#,
    ];
    for json in table {
        let request = Request::parse(json);
        assert_eq!(
            request,
            Request::failed(None, CommandError::BAD_JSON),
            "{json}"
        );
        assert!(request.is_unreadable(), "{json}");
    }
}

#[test]
fn id_is_an_unsigned_integer_below_2_to_53() {
    for id in [0, 1, (1 << 53) - 1] {
        let request = Request::parse(&format!(r#"{{"type":"who","id":{id}}}"#));
        assert_eq!(request.id, Some(RequestId(id)));
    }
    let digits = "9".repeat(5_000);
    let bad = "9007199254740992 18446744073709551616 -1 -0 1.0 0.5 1e3 1E400 \"1\" true [] [1] {} \
        {\"id\":1} \"\"";
    for id in bad.split(' ').chain([&*digits]) {
        for rest in [r#""type":"who""#, r#""type":"frobnicate""#, r#""x":1"#] {
            let request = Request::parse(&format!(r#"{{{rest},"id":{id}}}"#));
            assert_eq!(request, Request::failed(None, CommandError::BAD_ID), "{id}");
            assert!(request.is_unreadable());
        }
    }
}

#[test]
fn unknown_types_are_unknown_and_missing_ones_bad_fields() {
    for kind in "frobnicate||Hello|hello |help|quit|nick|\\u0000".split('|') {
        let request = Request::parse(&format!(r#"{{"type":"{kind}","id":3,"text":5}}"#));
        let expected = Request::failed(Some(RequestId(3)), CommandError::UNKNOWN_TYPE);
        assert_eq!(request, expected, "{kind}");
    }
    for kind in ["", r#","type":null"#, r#","type":5"#, r#","type":["who"]"#] {
        let request = Request::parse(&format!(r#"{{"id":3{kind}}}"#));
        assert_eq!(outcome(&request), "bad_field", "{kind}");
        assert_eq!(
            (request.id, request.needs_user),
            (Some(RequestId(3)), false),
            "{kind}"
        );
        assert!(!request.is_unreadable(), "{kind}");
    }
}

#[test]
fn missing_and_mistyped_fields_are_bad_fields() {
    let table = r#"
        hello |         | "name":null | "name":5 | "name":["a"] | "name":"a","session":5
        rename |        | "name":true
        join |          | "channel":1 | A"since":-1 | A"since":"1" | A"since":1.0 | A"since":false
        join | A"since":9007199254740992 | A"since":1e400
        leave |         | "channel":null | "channel":{}
        message |       | "channel":"a" | "text":"hi" | A"text":5 | "channel":5,"text":"hi"
        message | A"text":"hi","action":1 | A"text":"hi","action":"true"
        direct |        | "text":"hi" | "to":"a" | "to":"a","conversation":"c","text":"hi"
        direct | "to":5,"text":"hi" | "to":"a","conversation":5,"text":"hi"
        direct | "to":null,"conversation":null,"text":"hi"
        edit | "seq":1,"text":"hi" | A"text":"hi" | A"seq":1 | A"seq":-1,"text":"hi"
        delete |        | A | A"seq":1.0 | A"seq":9007199254740992 | A"conversation":"c","seq":1
        react | A"seq":1 | A"emoji":"👍" | A"seq":1,"emoji":"" | A"seq":1,"emoji":"ok"
        react | A"seq":1,"emoji":"👍 " | A"seq":1,"emoji":"👍","on":1
        search |        | "text":5 | "text":"a","limit":0 | "text":"a","limit":51
        search | "text":"a","before":5 | "text":"a","channel":"a","conversation":"c"
        typing |        | A"conversation":"c" | "channel":5 | "to":"a"
        history |       | A"conversation":"c" | A"before":1,"after":1 | A"before":"1"
        history | A"after":-1 | A"limit":0 | A"limit":201 | A"limit":4294967297
        history | A"limit":"5" | A"limit":5.0
        who | "channel":5 | "channel":[] | "channel":false
        own | "key":5
        mute |          | "user":"a" | "minutes":5 | "user":5,"minutes":5 | "user":"a","minutes":"5"
        mute | "user":"a","minutes":525601 | "user":"a","minutes":-1 | "user":"a","minutes":1.0
        kick | "user":"a" | "user":"a","minutes":99999999999999999999
        door |          | "open":1 | "open":null
        writing |       | "channel":"a" | "who":"all" | A"who":"none" | A"who":0 | A"who":86401
        writing | A"who":-1 | A"who":"5" | A"who":["all"] | A"who":"\ud83d"
        clear |         | "channel":5
        remove_channel | | "channel":null
        trace | "on":1 | "on":"true""#;
    for row in table.trim().lines() {
        let mut cells = row.split('|').map(str::trim);
        let kind = cells.next().expect(row);
        for fields in cells {
            let comma = if fields.is_empty() { "" } else { "," };
            let fields = fields.replace('A', r#""channel":"a","#);
            let json = format!(r#"{{"type":"{kind}","id":3{comma}{fields}}}"#).replace(",}", "}");
            let request = Request::parse(&json);
            assert_eq!(outcome(&request), "bad_field", "{json}: {request:?}");
            let needs_user = !matches!(kind, "hello" | "trace");
            assert_eq!(request.id, Some(RequestId(3)), "{json}");
            assert_eq!(request.needs_user, needs_user, "{json}");
        }
    }
}

#[test]
fn texts_and_nonces_have_no_control_characters() {
    let with = |key: &str, value: &str| {
        let text = if key == "text" { "" } else { r#","text":"hi""# };
        let kinds = [
            r#""type":"message","channel":"a""#,
            r#""type":"direct","to":"a""#,
            r#""type":"direct","conversation":"c""#,
        ];
        kinds.map(|kind| code(&format!(r#"{{{kind}{text},"{key}":"{value}"}}"#)))
    };
    let long = "é".repeat(70_000);
    let bad = r"a\u0000b a\r\nb a\b \u001b[2J a\u007f a\u0085";
    let bad: Vec<_> = bad.split(' ').chain(["a\u{7F}", "\u{9B}2J"]).collect();
    let long_nonce = "é".repeat(65);
    let table = [
        ("text", "ok", &[r"a\nb\tc", "", &long, r"a\u2028b"][..]),
        ("text", "bad_field", &bad),
        ("nonce", "ok", &["x", &long_nonce[2..], r#" \"\\ "#]),
        ("nonce", "bad_field", &["", &long_nonce, r"a\n", r"\u0080"]),
    ];
    for (key, expected, values) in table {
        for value in values {
            assert_eq!(with(key, value), [expected; 3], "{key} {value:.20}");
        }
    }
    let number = r#"{"type":"message","channel":"a","text":"hi","nonce":5}"#;
    assert_eq!(code(number), "bad_field");
    // A name is checked when the command is applied.
    assert_eq!(code(r#"{"type":"join","channel":"a\u0007"}"#), "ok");
}
