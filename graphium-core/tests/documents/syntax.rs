//! Every slip in the syntax of a document is told, and nothing that is only a consequence of one.

use graphium_core::document::{ReadContext, read};
use proptest::{prelude::*, sample::select};

/// Line, column and message of every mistake.
fn told(source: &str) -> Vec<(u32, u32, String)> {
    let found = read(source, &ReadContext::default()).unwrap_err();
    assert!(found.iter().all(|mistake| mistake.code == "syntax" || mistake.code == "lone-surrogate"), "{found:#?}");
    found.into_iter().map(|mistake| (mistake.line, mistake.column, mistake.message)).collect()
}

fn places(source: &str) -> Vec<(u32, u32)> {
    told(source).into_iter().map(|(line, column, _)| (line, column)).collect()
}

#[test]
fn several_slips_are_told_at_once() {
    let source = r#"{
  "name": "s",,
  "image": "a" "labels": {},
  'command': ['x', "y",],
  // nobody may write this
  version: True,
  "ports": [80 443],
  "bad": "\q",
  "half": "\ud800",
  "n": 007,
  "empty": ,
  "last": 1,
}"#;
    let expected = [
        (2, 15, "expected a key in double quotes, found `,`"),
        (3, 15, "expected `,` or `}` before the next key"),
        (4, 3, "expected a key in double quotes, found `'`"),
        (4, 15, "expected a value or `]`, found `'`"),
        (4, 24, "expected a value, found `]`"),
        (5, 3, "expected a key in double quotes, found `/`"),
        (6, 3, "expected a key in double quotes, found `v`"),
        (6, 12, "expected a value, found `T`"),
        (7, 15, "expected `,` or `]` before the next value"),
        (8, 12, "expected the rest of a string, found `q`"),
        (9, 12, "this escape is half of a surrogate pair, which is no character"),
        (10, 9, "expected `,` or `}`, found `0`"),
        (11, 12, "expected a value, found `,`"),
        (13, 1, "expected a key in double quotes, found `}`"),
    ];
    let told = told(source);
    let told: Vec<_> = told.iter().map(|(line, column, message)| (*line, *column, message.as_str())).collect();
    assert_eq!(told, expected);
}

#[test]
fn where_it_is_not_clear_what_was_meant_nothing_more_is_told() {
    for source in [
        "services:\n  web: {image: nginx}\n",
        "{\"a\": \"never closed,\n \"b\": 1,}",
        "{\"a\": \"b\"c\", \"d\": ,}",
        "{\"a\": [1, 2}, \"b\": ,}",
        "{\"a\": 1} {\"b\": ,}",
        "{\"a\" 1, \"b\": ,}",
        "{\"a\": é, \"b\": ,}",
        "{\"a\": 1 /* not closed, \"b\": ,}",
        "{\"a\": /*/ 1, \"b\": ,}",
        "",
    ] {
        assert_eq!(places(source).len(), 1, "{source}");
    }
}

#[test]
fn twenty_are_told_and_of_a_large_text_fewer() {
    let slips = |count: usize| format!("[{}1]", "1,,\n".repeat(count));
    assert_eq!(places(&slips(19)).len(), 19);
    assert_eq!(places(&slips(100)).len(), 20);
    let large = slips(100) + &" ".repeat(6 << 20);
    assert_eq!(places(&large).len(), 2);
}

/// A line of an object with a slip, and the column of the slip.
fn slip() -> impl Strategy<Value = (&'static str, u32)> {
    select(vec![
        (r#""a": 1,,"#, 8),
        (r#""é": "b" "c": 1,"#, 9),
        (r#""a": 'x y',"#, 6),
        (r#"'é': 1,"#, 1),
        (r#"k: 1,"#, 1),
        (r#"key: 1,"#, 1),
        (r#""a": None,"#, 6),
        (r#""a": [1, 2,],"#, 12),
        (r#""a": 1, // é"#, 9),
        (r#""a": /* é */ 1,"#, 6),
        (r#""a": "\x","#, 8),
        (r#""a": "\udc00","#, 7),
        (r#""a": .5,"#, 6),
    ])
}

proptest! {
    #[test]
    fn each_slip_is_told_in_its_place_and_no_other(lines in prop::collection::vec(prop::option::of(slip()), 1..19)) {
        let text: Vec<&str> = lines.iter().map(|slip| slip.map_or("\"sound\": {\"x\": [1, \"ä\"]},", |(line, _)| line)).collect();
        let source = format!("{{\n{}\n\"end\": 1", text.join("\n"));
        let expected: Vec<(u32, u32)> =
            lines.iter().zip(2..).filter_map(|(slip, line)| slip.map(|(_, column)| (line, column))).collect();
        prop_assume!(!expected.is_empty());
        prop_assert_eq!(places(&(source + "}")), expected);
    }
}
