//! Event streams: every byte arrives, in every split.

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::{Decoder, Piece};

#[derive(Debug, Default, PartialEq)]
struct Seen {
    /// Everything that left, in order.
    bytes: Vec<u8>,
    /// Data of the events that have some.
    data: Vec<String>,
}

fn decode(parts: &[&[u8]], cap: usize) -> Seen {
    let mut seen = Seen::default();
    let mut decoder = Decoder::new(cap);
    let mut sink = |piece: Piece<'_>| match piece {
        Piece::Event(event) => {
            seen.bytes.extend_from_slice(event.raw());
            seen.data.extend(event.data().map(|data| String::from_utf8(data).unwrap()));
        }
        Piece::Raw(raw) => seen.bytes.extend_from_slice(raw),
    };
    for part in parts {
        decoder.feed(part, &mut sink);
    }
    decoder.end(&mut sink);
    seen
}

/// Decodes `stream` cut at every byte, and byte by byte.
fn check(stream: &str, data: &[&str]) {
    let stream = stream.as_bytes();
    let expected =
        Seen { bytes: stream.to_vec(), data: data.iter().map(|data| (*data).to_owned()).collect() };
    for cut in 0..=stream.len() {
        let (head, tail) = stream.split_at(cut);
        assert_eq!(decode(&[head, tail], 1 << 20), expected, "cut at {cut}");
    }
    let bytes: Vec<&[u8]> = stream.chunks(1).collect();
    assert_eq!(decode(&bytes, 1 << 20), expected, "byte by byte");
}

#[test]
fn events_come_out_whole_in_every_split() {
    check("data: one\n\ndata: two\n\n", &["one", "two"]);
    check("id: 1\r\nevent: message\r\ndata: a\r\ndata:b\r\n\r\n", &["a\nb"]);
    check("data: a\rdata: b\r\rdata: c\r\r", &["a\nb", "c"]);
    check("data: café ☕\n\n", &["café ☕"]);
    check("\u{feff}data: marked\n\n", &["marked"]);
    check("data\n\n", &[""]);
    check("data: \n\n", &[""]);
    check("dataset: no\n\n", &[]);
}

#[test]
fn comments_and_events_without_data_pass_between_the_others() {
    check(
        ": ping\n\ndata: 1\n\n:\r\n\r\nretry: 5000\n\nid: 7\ndata:\n\ndata: 2\n\n",
        &["1", "", "2"],
    );
    check("\n\n\n: a\n: b\ndata: x\n\n", &["x"]);
}

#[test]
fn the_end_of_the_stream_flushes_what_is_held() {
    check("data: whole\n\ndata: cut o", &["whole"]);
    check("data: no blank line\n", &[]);
}

#[test]
fn an_event_leaves_at_its_last_byte() {
    for stream in ["data: now\n\n", "data: now\r\n\r\n", "data: now\r\r"] {
        let mut events = 0;
        let mut decoder = Decoder::new(1024);
        decoder.feed(stream.as_bytes(), |piece| {
            events += usize::from(matches!(piece, Piece::Event(_)));
        });
        assert_eq!(events, 1, "{stream:?}");
    }
}

#[test]
fn a_line_of_any_length_passes() {
    let long = "x".repeat(200_000);
    let stream = format!("data: {long}\n\ndata: after\n\n");
    let parts: Vec<&[u8]> = stream.as_bytes().chunks(1000).collect();
    let held = decode(&parts, 1 << 20);
    assert_eq!(held.bytes, stream.as_bytes());
    assert_eq!(held.data, [long.as_str(), "after"]);
}

#[test]
fn above_the_cap_an_event_passes_unread_and_the_next_is_read_again() {
    for ending in ["\n", "\r\n", "\r"] {
        let long = "x".repeat(300);
        let stream =
            format!("data: {long}{ending}data: y{ending}{ending}data: after{ending}{ending}");
        for cut in 0..=stream.len() {
            let (head, tail) = stream.as_bytes().split_at(cut);
            let mut parts: Vec<&[u8]> = head.chunks(50).collect();
            parts.extend(tail.chunks(50));
            let seen = decode(&parts, 100);
            assert_eq!(seen.bytes, stream.as_bytes(), "{ending:?} cut at {cut}");
            assert_eq!(
                seen.data.last().map(String::as_str),
                Some("after"),
                "{ending:?} cut at {cut}"
            );
        }
    }
}

fn replaced(stream: &str, data: &str) -> String {
    let mut out = Vec::new();
    let mut decoder = Decoder::new(1024);
    decoder.feed(stream.as_bytes(), |piece| match piece {
        Piece::Event(event) => out.extend_from_slice(&event.with_data(data.as_bytes())),
        Piece::Raw(raw) => out.extend_from_slice(raw),
    });
    String::from_utf8(out).unwrap()
}

#[test]
fn other_data_leaves_the_other_lines_alone() {
    assert_eq!(
        replaced("id:7\r\n: hm\r\ndata:{\r\ndata: }\r\nretry: 1\r\n\r\n", "{}"),
        "id:7\r\n: hm\r\ndata: {}\r\nretry: 1\r\n\r\n"
    );
    assert_eq!(replaced("data: a\n\n", "x\ny"), "data: x\ndata: y\n\n");
    assert_eq!(replaced("\u{feff}data: a\n\n", "x"), "\u{feff}data: x\n\n");
    assert_eq!(replaced("event: e\n\n", "x"), "event: e\n\n");
}

#[test]
fn an_event_with_other_data_ends_whatever_its_lines_end_with() {
    assert_eq!(replaced("data: a\rdata: b\n\n", "x"), "data: x\r\r\n");
    assert_eq!(replaced("data: a\nid: 1\rdata: b\n\n", "x"), "data: x\nid: 1\r\r\n");
    assert_eq!(replaced("data: a\rdata: b\r\n\r\n", "x"), "data: x\r\r\n");
    assert_eq!(replaced("data: a\ndata: b\r\r", "x"), "data: x\n\r");
}

#[cfg(not(target_arch = "wasm32"))]
mod properties {
    use proptest::prelude::{any, prop, proptest};

    use super::decode;

    /// Data of the events of a whole stream, read as the standard says it (WHATWG HTML section 9.2.6).
    fn interpreted(stream: &str) -> Vec<String> {
        let stream = stream.strip_prefix('\u{feff}').unwrap_or(stream);
        let stream = stream.replace("\r\n", "\n").replace('\r', "\n");
        let mut lines: Vec<&str> = stream.split('\n').collect();
        // What no line end follows is no line.
        lines.pop();
        let mut events = Vec::new();
        let mut data: Vec<&str> = Vec::new();
        for line in lines {
            if line.is_empty() {
                if !data.is_empty() {
                    events.push(data.join("\n"));
                }
                data.clear();
                continue;
            }
            let (field, value) = line.split_once(':').unwrap_or((line, ""));
            if field == "data" {
                data.push(value.strip_prefix(' ').unwrap_or(value));
            }
        }
        events
    }

    proptest! {
        #[test]
        fn a_stream_is_read_as_the_standard_reads_it(
            lines in prop::collection::vec((
                prop::sample::select(vec![
                    "data: a", "data:  b", "data:", "data", "dataset: x", "data :x", "id: 1", ":", ": c",
                    "event: m", "", "", "x", "\u{feff}data: mark", "\u{feff}", "data: a line of more than eight bytes",
                ]),
                prop::sample::select(vec!["\n", "\r\n", "\r"]),
            ), 0..24),
            rest in prop::sample::select(vec!["", "data: z", "data"]),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
        ) {
            let mut stream: String = lines.iter().flat_map(|(line, ending)| [*line, *ending]).collect();
            stream.push_str(rest);
            let bytes = stream.as_bytes();
            let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            at.extend([0, bytes.len()]);
            at.sort_unstable();
            let parts: Vec<&[u8]> = at.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
            let seen = decode(&parts, 1000);
            assert_eq!(seen.bytes, bytes);
            assert_eq!(seen.data, interpreted(&stream));
        }

        #[test]
        fn every_byte_arrives_and_every_split_says_the_same(
            lines in prop::collection::vec(prop::sample::select(vec![
                "data: a", "data:", "data", "id: 1", ": c", "retry: 1", "event: m", "", "", "x",
                "data: {\"a\":1}", "\u{feff}", "data: é",
            ]), 0..24),
            ending in prop::sample::select(vec!["\n", "\r\n", "\r"]),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
            cap in prop::sample::select(vec![4_usize, 9, 1000]),
        ) {
            let stream: String = lines.iter().map(|line| format!("{line}{ending}")).collect();
            let stream = stream.as_bytes();
            let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
            at.extend([0, stream.len()]);
            at.sort_unstable();
            let parts: Vec<&[u8]> = at.windows(2).map(|pair| &stream[pair[0]..pair[1]]).collect();
            let split = decode(&parts, cap);
            assert_eq!(split.bytes, stream);
            assert_eq!(split.data, decode(&[stream], cap).data);
        }
    }
}
