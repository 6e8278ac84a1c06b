//! What somebody sends who wants to hurt: four times as much of it may take some four times as long, not sixteen times.

use rustix::time::{ClockId, clock_gettime};

use crate::message::kitchen_sink::message;
use crate::message::wire::push_varint;
use crate::message::{FieldPath, JsonIn, JsonOut};

/// Large enough for the clock even at a nanosecond for each byte.
const SMALL: usize = 16 << 10;
const LARGE: usize = 4 * SMALL;
/// Sorting takes a little more than linear time, and caches are smaller than what is sent.
const MOST: u64 = 9;

/// The processor's time for the quickest of some runs, which is the one that nobody disturbed.
fn nanoseconds(mut run: impl FnMut()) -> u64 {
    let now = || {
        let now = clock_gettime(ClockId::ThreadCPUTime);
        u64::try_from(now.tv_sec * 1_000_000_000 + now.tv_nsec).unwrap()
    };
    let once = |run: &mut dyn FnMut()| {
        let start = now();
        run();
        now() - start
    };
    (0..3).map(|_| once(&mut run)).min().unwrap()
}

#[track_caller]
fn is_linear(what: &str, run: impl Fn(&[u8]), content: impl Fn(usize) -> Vec<u8>) {
    let (small, large) = (content(SMALL), content(LARGE));
    let (quick, slow) = (nanoseconds(|| run(&small)), nanoseconds(|| run(&large)));
    println!("{what}: {} ns for each of {} bytes", slow / large.len() as u64, large.len());
    // What ends early takes no time worth dividing.
    assert!(
        slow < quick.max(50_000) * MOST,
        "{what}: {quick} ns, then {slow} ns for four times as much"
    );
}

/// `open`, as many `each` as fit, `close`.
fn filled(open: &str, each: impl Fn(usize) -> String, close: &str, size: usize) -> Vec<u8> {
    let mut text = open.to_owned();
    let mut count = 0;
    while text.len() < size {
        text.push_str(&each(count));
        count += 1;
    }
    if text.ends_with(',') {
        text.pop();
    }
    text.push_str(close);
    text.into_bytes()
}

/// A text that is taken, or one that is not.
#[track_caller]
fn text(name: &str, taken: bool, open: &str, each: impl Fn(usize) -> String, close: &str) {
    let message = message(&format!("sink.v1.{name}"));
    let what = format!("{open}{}{}…{close}", each(0), each(1));
    for ignore_unknown in [false, true] {
        let read = |text: &[u8]| {
            let mut wire = Vec::new();
            let read = message.json_to_wire(
                text,
                &JsonIn { ignore_unknown, ..JsonIn::default() },
                &mut wire,
            );
            assert_eq!(read.is_ok(), taken, "{what}: {read:?}");
            assert!(wire.len() <= 4 * text.len(), "{what} becomes {} bytes", wire.len());
        };
        is_linear(&what, read, |size| filled(open, &each, close, size));
    }
}

#[test]
fn texts_that_want_to_hurt_are_read_in_linear_time() {
    let always = |part: &'static str| move |_| part.to_owned();
    text("WellKnown", false, "{\"value\":", always("["), "");
    text("WellKnown", false, "", always("["), "");
    text("WellKnown", false, "{\"struct\":", always("{\"a\":"), "");
    text("Tree", false, "", always("{\"left\":"), "");
    text("Tree", false, "{\"x\":", always("["), "");
    text("Tree", true, "{\"name\":\"", always("\\u0041"), "\"}");
    text("Tree", false, "{\"name\":\"", always("\\ud800"), "\"}");
    text("Tree", false, "{\"name\":\"", always("\\\""), "");
    text("Tree", true, "{\"children\":[", always("{},"), "]}");
    text("Tree", true, "", always(" \n"), "{}");
    text("Scalars", false, "{\"anInt64\":1", always("00000000"), "}");
    text("Scalars", true, "{\"anInt64\":1.", always("00000000"), "}");
    text("Scalars", false, "{\"anInt64\":1e", always("99999999"), "}");
    text("Scalars", true, "{\"aDouble\":1.", always("12345678"), "}");
    text("Scalars", false, "{\"aDouble\":1e", always("99999999"), "}");
    text("Scalars", true, "{\"aDouble\":1e-", always("99999999"), "}");
    text("Scalars", true, "{\"aBytes\":\"", always("-_-_"), "\"}");
    text("Scalars", false, "{\"aBytes\":\"", always("-_+/"), "\"}");
    text("Scalars", false, "{\"aColor\":\"", always("COLOR_RE"), "\"");
    text("Lists", true, "{\"anInt32\":[", always("0,"), "]}");
    text("Maps", true, "{\"byString\":{", |n| format!("\"{n}\":\"\","), "}}");
    text("Maps", false, "{\"byString\":{", always("\"a\":\"\","), "}}");
    text("Maps", true, "{\"bySint64\":{", |n| format!("\"{n}\":{{}},"), "}}");
    text("WellKnown", true, "{\"struct\":{", |n| format!("\"\\u0041{n}\":[],"), "}}");
    text("WellKnown", false, "{\"fieldMask\":\"", always("a,,"), "\"}");
    text("WellKnown", true, "{\"fieldMask\":\"a", always(",a"), "\"}");
    // Each level is moved when its length turns out to need more than one byte.
    let (deep, end) = ("{\"left\":".repeat(98), "}".repeat(98));
    text("Tree", true, &format!("{deep}{{\"name\":\""), always("x"), &format!("\"}}{end}"));
    text("Choice", false, "{", always("\"aString\":\"\",\"anInt32\":1,"), "}");
}

#[test]
fn an_any_that_names_its_type_last_is_read_in_linear_time() {
    let deepest = 15;
    let open = format!("{{\"any\":{}{{\"name\":\"", "{\"value\":".repeat(deepest));
    let close = format!(
        "\",\"@type\":\"x/sink.v1.Tree\"}}{}}}",
        ",\"@type\":\"x/google.protobuf.Any\"}".repeat(deepest)
    );
    text("WellKnown", true, &open, |_| "\\u0041".to_owned(), &close);
    let open = "{\"anys\":[";
    let each = |_| "{\"left\":{},\"@type\":\"x/sink.v1.Tree\"},".to_owned();
    text("WellKnown", true, open, each, "]}");
}

/// Levels of `Tree.left`, each of them in two parts.
fn split_at_each_level(levels: usize, mut content: Vec<u8>) -> Vec<u8> {
    for _ in 0..levels {
        let mut outer = vec![0x12];
        push_varint(&mut outer, content.len() as u64);
        outer.extend_from_slice(&content);
        outer.extend_from_slice(b"\x12\x02\x1a\x00");
        content = outer;
    }
    content
}

#[test]
fn a_message_in_parts_on_each_level_is_read_in_linear_time() {
    let content = |size: usize| split_at_each_level(98, [0x1a, 0].repeat(size / 2));
    let tree = message("sink.v1.Tree");
    let write = |wire: &[u8]| {
        tree.wire_to_json(wire, &JsonOut::default(), &mut Vec::new()).unwrap();
    };
    is_linear("a message in parts on each level", write, content);
    let path = FieldPath::parse(&tree, &format!("{}children", "left.".repeat(98))).unwrap();
    is_linear("a path into it", |wire| drop(path.read(wire).unwrap()), content);
}

/// Wire bytes that are a message, all of which is written and all of whose fields are read.
#[track_caller]
fn wire(name: &str, fields: &[&str], each: impl Fn(usize) -> Vec<u8>) {
    let message = message(&format!("sink.v1.{name}"));
    let what = format!("{:x?} {:x?} as {name}", each(0), each(1));
    let content = |size| {
        let mut wire = Vec::new();
        let mut count = 0;
        // What is sent in turn ends with the same one at any size.
        while wire.len() < size || count % 6 != 0 {
            wire.extend_from_slice(&each(count));
            count += 1;
        }
        wire
    };
    let write = |wire: &[u8]| {
        let mut text = Vec::new();
        message.wire_to_json(wire, &JsonOut::default(), &mut text).unwrap();
        assert!(text.len() <= 100 * wire.len(), "{what} becomes {} bytes", text.len());
    };
    is_linear(&what, write, content);
    for field in fields {
        let path = FieldPath::parse(&message, field).unwrap();
        is_linear(&format!("{what}: {field}"), |wire| drop(path.read(wire).unwrap()), content);
        is_linear(&format!("{what}: {field}"), |wire| drop(path.rival(wire).unwrap()), content);
    }
}

#[test]
fn wire_that_wants_to_hurt_is_read_in_linear_time() {
    // A scalar again and again, and two in turn.
    wire("Scalars", &["an_int32"], |_| vec![0x10, 1]);
    wire("Scalars", &["an_int32", "a_bool"], |n| {
        if n % 2 == 0 { vec![0x10, 1] } else { vec![0x08, 1] }
    });
    // Members of a oneof in turn, one of them a message.
    wire("Choice", &["a_string", "scalars.an_int32"], |n| match n % 3 {
        0 => vec![0x0a, 1, b'a'],
        1 => vec![0x1a, 2, 0x10, 1],
        _ => vec![0x10, 1],
    });
    // A message in very many parts, and one in parts of parts.
    wire("Tree", &["left.name", "left.left.name"], |_| vec![0x12, 5, 0x12, 3, 0x0a, 1, b'a']);
    wire("All", &["tree.left.name", "tree.children.name"], |_| vec![0x32, 4, 0x12, 2, 0x1a, 0]);
    // A key of a map again and again, and very many keys, from the last to the first.
    wire("Maps", &["by_string"], |_| vec![0x0a, 0]);
    wire("Maps", &["by_int64"], |_| vec![0x1a, 4, 0x08, 7, 0x10, 1]);
    wire("Maps", &["by_sint64"], |n| {
        let mut key = vec![0x08];
        push_varint(&mut key, u64::MAX - n as u64);
        [&[0x3a, key.len().to_le_bytes()[0]], &*key].concat()
    });
    // Nothing but unknown fields, and groups in groups.
    wire("Tree", &["name"], |_| vec![0xf8, 0xff, 0x03, 1]);
    wire("Tree", &["name"], |_| {
        [[0xfb; 40], [0xfc; 40]].concat().iter().flat_map(|tag| [*tag, 1]).collect()
    });
    // Packed blocks that hold nothing, and lists of messages that do.
    wire("Lists", &["an_int32"], |_| vec![0x12, 0]);
    wire("Tree", &["children.name", "children.children.name"], |_| vec![0x1a, 0]);
    // Fields in falling order.
    wire("Tree", &["children.name"], |n| if n % 2 == 0 { vec![0x1a, 0] } else { vec![0x0a, 0] });
}
