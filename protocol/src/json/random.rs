//! Random JSON with random white space.

use proptest::prelude::{Just, Strategy, any, prop, prop_oneof};

/// JSON text of any shape, spaced at random.
pub(crate) fn json() -> impl Strategy<Value = String> {
    scalar().prop_recursive(5, 48, 6, |inner| {
        prop_oneof![
            (prop::collection::vec(inner.clone(), 0..6), space()).prop_map(|(items, space)| {
                format!("[{space}{}{space}]", items.join(&format!("{space},{space}")))
            }),
            object(inner),
        ]
    })
}

/// An object whose members are `value`s.
pub(crate) fn object(value: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    (prop::collection::vec((name(), value), 0..7), space()).prop_map(|(members, space)| {
        let members: Vec<_> = members
            .into_iter()
            .map(|(name, value)| format!("{name}{space}:{space}{value}"))
            .collect();
        format!("{{{space}{}{space}}}", members.join(&format!("{space},{space}")))
    })
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("\"attache_intent\"".to_owned()),
        Just("\"attache_int\\u0065nt\"".to_owned()),
        Just("\"name\"".to_owned()),
        text(),
    ]
}

fn scalar() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just("-12345678901234567890.50e-3".to_owned()),
        any::<i64>().prop_map(|number| number.to_string()),
        text(),
    ]
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>().prop_map(|text| serde_json::Value::from(text).to_string()),
        any::<String>().prop_map(|text| {
            let escaped: String =
                text.encode_utf16().map(|unit| format!("\\u{unit:04X}")).collect();
            format!("\"{escaped}\"")
        }),
    ]
}

fn space() -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), Just(" ".to_owned()), Just("\r\n\t ".to_owned())]
}
