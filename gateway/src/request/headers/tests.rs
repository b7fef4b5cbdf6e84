//! What headers stand in the way.

use serde_json::json;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::{Field, Headers, Unreadable, Verb, check_body, check_origin, names_foreign_charset};
use crate::{
    refusal::Refusal,
    testing::{configuration, configured, gateway, headers, post, serialized},
};

fn checked(headers: &Headers) -> Result<(), Refusal> {
    check_body(headers, &gateway(configuration()).limits)
}

#[test]
fn of_the_headers_only_what_the_body_needs_is_kept() {
    let long = "x".repeat(30_000);
    let all = headers(&[
        (":method", "POST"),
        ("cookie", &long),
        ("mcp-method", "tools/call"),
        ("mcp-name", "one"),
        ("x_api_key", "theirs"),
        ("mcp-name", "two"),
        ("content-type", ""),
        ("mcp-param-user_id", &long),
        ("accept-encoding", "gzip"),
    ]);
    let kept = all.with_body();
    assert_eq!(kept.field("cookie"), Field::Absent);
    assert_eq!(kept.field("mcp-param-user_id"), Field::Absent);
    for name in ["mcp-method", "mcp-name", "x_api_key", "content-type", "accept-encoding"] {
        assert_eq!(kept.field(name), all.field(name), "{name}");
        assert!(kept.all(name).eq(all.all(name)), "{name}");
    }
    assert!(kept.confusable().eq(["x_api_key"]));
    assert!(kept.size() < 500 && all.size() > 60_000, "{} of {}", kept.size(), all.size());
    assert_eq!(Headers::default().with_body().size(), 0);
}

#[test]
fn json_is_json_with_any_parameters() {
    for media_type in [
        "application/json",
        "Application/JSON",
        "application/json;charset=utf-8",
        "application/json; charset=\"UTF-8\"",
        "application/json ; charset=latin1; x=y",
        "application/json;",
    ] {
        let headers = headers(&[("content-type", media_type)]);
        assert_eq!(checked(&headers), Ok(()), "{media_type}");
    }
    for media_type in ["text/plain", "application/json2", "application/jsonl", "", "json"] {
        let headers = headers(&[("content-type", media_type)]);
        assert_eq!(checked(&headers), Err(Refusal::ContentType), "{media_type}");
    }
    assert_eq!(checked(&headers(&[])), Err(Refusal::ContentType));
    let twice = post(&[("content-type", "text/plain")]);
    assert_eq!(checked(&twice), Err(Refusal::ContentType));
}

#[test]
fn whatever_could_be_read_as_another_charset_is_one() {
    for parameters in ["charset=utf-8", "Charset = UTF8 ; x=y", "charset=\"Utf-8\"", "x=utf-7", ""]
    {
        let media_type = format!("application/json; {parameters}");
        assert!(!names_foreign_charset(media_type.as_bytes()), "{parameters}");
    }
    for parameters in [
        "charset=utf-7",
        "charset=\"UTF-16\"",
        "charset=latin1",
        "charset",
        "charset=",
        "charset=utf-8;charset=utf-7",
        "x=\"; charset=utf-7\"",
        "charset*=utf-7''x",
        "charset=utf-8 utf-7",
        "charset=\"utf\\-8\"",
    ] {
        let media_type = format!("application/json; {parameters}");
        assert!(names_foreign_charset(media_type.as_bytes()), "{parameters}");
    }
}

#[test]
fn a_compressed_body_is_refused() {
    for encoding in ["gzip", "br", "identity, gzip", "x"] {
        let headers = post(&[("content-encoding", encoding)]);
        assert_eq!(checked(&headers), Err(Refusal::ContentEncoding), "{encoding}");
    }
    for encoding in ["identity", "Identity", ""] {
        assert_eq!(checked(&post(&[("content-encoding", encoding)])), Ok(()));
    }
    let twice = post(&[("content-encoding", "identity"), ("content-encoding", "gzip")]);
    assert_eq!(checked(&twice), Err(Refusal::ContentEncoding));
}

#[test]
fn a_body_that_is_declared_too_large_is_refused_before_it_comes() {
    let refused = Err(Refusal::BodyTooLarge(4096));
    assert_eq!(checked(&post(&[("content-length", "4097")])), refused);
    assert_eq!(checked(&post(&[("content-length", "4096")])), Ok(()));
}

#[test]
fn other_methods_are_refused() {
    for method in ["PUT", "HEAD", "OPTIONS", "PATCH", "TRACE", "post", ""] {
        let read = Verb::read(&headers(&[(":method", method)]));
        assert_eq!(read, Err(Refusal::Method), "{method}");
    }
    assert_eq!(Verb::read(&headers(&[(":method", "DELETE")])), Ok(Verb::Delete));
}

#[test]
fn a_foreign_origin_is_refused() {
    let configuration =
        configured("/endpoints/0/origins", json!({"listed": ["https://app.example"]}));
    let gateway = gateway(configuration);
    let endpoint = gateway.endpoint(b"/mcp").expect("it is there");
    let check = |headers: &Headers| check_origin(endpoint, headers);
    assert_eq!(check(&post(&[("origin", "https://app.example")])), Ok(()));
    assert_eq!(check(&post(&[])), Ok(()), "no browser");
    for origin in ["https://evil.example", "null", "", "http://localhost:3000"] {
        let headers = post(&[("origin", origin)]);
        assert_eq!(check(&headers), Err(Refusal::ForeignOrigin), "{origin}");
    }
    let twice = post(&[("origin", "https://app.example"), ("origin", "https://app.example")]);
    assert_eq!(check(&twice), Err(Refusal::ForeignOrigin));
}

#[test]
fn a_header_that_occurs_twice_is_no_single_value() {
    let headers = headers(&[("a", "1"), ("b", "2"), ("a", "1")]);
    assert_eq!(headers.field("a"), Field::Several);
    assert_eq!(headers.field("b"), Field::Once(b"2"));
    assert_eq!(headers.field("c"), Field::Absent);
}

#[test]
fn values_are_not_shown() {
    assert_eq!(format!("{:?}", headers(&[("authorization", "secret")])), r#"["authorization"]"#);
}

#[test]
fn a_serialized_map_is_read_in_place() {
    let map = b"\x02\0\0\0\x05\0\0\0\x01\0\0\0\x01\0\0\0\0\0\0\0:path\0/\0x\0\0".to_vec();
    let headers = Headers::read(map).unwrap();
    assert_eq!(headers.field(":path"), Field::Once(b"/"));
    assert_eq!(headers.field("x"), Field::Once(b""));
    assert_eq!(headers.field("pat"), Field::Absent);
    assert_eq!(format!("{headers:?}"), r#"[":path", "x"]"#);
    assert_eq!(Headers::read(Vec::new()).unwrap().first("x"), None);
    assert_eq!(Headers::read(vec![0; 4]).unwrap().first("x"), None);
}

#[test]
fn values_are_any_bytes_and_names_are_not() {
    let map = serialized(&[(b"x", b"\0\xff\0"), (b"x", b"2")]);
    let headers = Headers::read(map).unwrap();
    let values: Vec<&[u8]> = headers.all("x").collect();
    assert_eq!(values, [b"\0\xff\0".as_slice(), b"2"]);
    assert_eq!(headers.field("x"), Field::Several);
    assert_eq!(Headers::read(serialized(&[(b"\xff", b"1")])).unwrap_err(), Unreadable);
}

#[test]
fn a_map_that_is_cut_or_lies_is_unreadable() {
    let map = serialized(&[(b":path", b"/mcp"), (b"accept", b"text/html")]);
    for length in 1..map.len() {
        assert!(Headers::read(map[..length].to_vec()).is_err(), "{length}");
    }
    for place in 0..20 {
        for value in [0x7f, 0x80, 0xff] {
            let mut map = map.clone();
            map[place] = value;
            assert!(Headers::read(map).is_err(), "{place}: {value}");
        }
    }
}
