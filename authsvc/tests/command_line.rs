//! What a person sees of `authsvc` on the command line.

use std::{
    fs,
    io::Write as _,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Output, Stdio},
};

use tempfile::TempDir;

fn authsvc(folder: &Path, arguments: &[&str], input: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_authsvc"));
    command.args(arguments).current_dir(folder);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| unstartable(&error));
    if let Some(mut stdin) = child.stdin.take() {
        // It may end without reading.
        drop(stdin.write_all(input.as_bytes()));
    }
    child.wait_with_output().unwrap_or_else(|error| unstartable(&error))
}

#[expect(clippy::panic, reason = "a test cannot go on without the program")]
fn unstartable(error: &std::io::Error) -> ! {
    panic!("authsvc does not run: {error}")
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Who may do what with a file; `None` when there is none.
fn mode(folder: &TempDir, name: &str) -> Option<u32> {
    let metadata = fs::metadata(folder.path().join(name)).ok()?;
    Some(metadata.permissions().mode() & 0o777)
}

#[test]
fn a_first_configuration_is_written_checked_and_rendered() {
    let folder = tempfile::tempdir().unwrap();
    let written =
        authsvc(folder.path(), &["init", "--server", "weather=http://127.0.0.1:3001/mcp"], "");
    assert_eq!(written.status.code(), Some(0), "{}", err(&written));
    let mode = |name: &str| mode(&folder, name);
    assert_eq!(mode("attache.yaml"), Some(0o600));

    let checked = authsvc(folder.path(), &["check"], "");
    assert_eq!(checked.status.code(), Some(0), "{}", err(&checked));
    assert!(out(&checked).starts_with("attache.yaml: ok\n"), "{}", out(&checked));
    assert!(out(&checked).contains("http://localhost:8080/weather/mcp"), "{}", out(&checked));
    assert!(err(&checked).contains("there is no filter at"), "{}", err(&checked));

    let printed = authsvc(folder.path(), &["render", "envoy"], "");
    let kept = authsvc(folder.path(), &["render", "envoy", "-o", "envoy.yaml"], "");
    assert_eq!((printed.status.code(), kept.status.code()), (Some(0), Some(0)), "{}", err(&kept));
    assert_eq!(fs::read_to_string(folder.path().join("envoy.yaml")).unwrap(), out(&printed));
    assert_eq!(mode("envoy.yaml"), Some(0o600));

    let again = authsvc(folder.path(), &["init"], "");
    assert_eq!(again.status.code(), Some(2));
    assert!(err(&again).contains("attache.yaml is already there"), "{}", err(&again));
}

#[test]
fn the_pieces_for_an_envoy_of_ones_own_are_rendered() {
    let folder = tempfile::tempdir().unwrap();
    let written = authsvc(folder.path(), &["init"], "");
    assert_eq!(written.status.code(), Some(0), "{}", err(&written));
    let pieces = authsvc(folder.path(), &["render", "snippets", "-o", "pieces"], "");
    assert_eq!(pieces.status.code(), Some(0), "{}", err(&pieces));
    for name in ["pieces/listener-filter.yaml", "pieces/clusters.yaml", "pieces/routes.yaml"] {
        assert!(out(&pieces).contains(&format!("{name}: written\n")), "{}", out(&pieces));
        assert_eq!(mode(&folder, name), Some(0o600));
    }
}

#[test]
fn every_mistake_is_told_and_the_exit_code_is_2() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("wrong.yaml"), "public_url: http://example.com\nserver: []\n")
        .unwrap();
    for command in [
        &["check", "-c", "wrong.yaml"][..],
        &["serve", "-c", "wrong.yaml"],
        &["render", "envoy", "-c", "wrong.yaml"],
    ] {
        let refused = authsvc(folder.path(), command, "");
        assert_eq!(refused.status.code(), Some(2), "{command:?}");
        let told = err(&refused);
        assert!(
            told.contains(
                "wrong.yaml:1: public_url is \"http://example.com\": http is for loopback only"
            ),
            "{told}"
        );
        assert!(
            told.contains("wrong.yaml:2: server: unknown key, did you mean `servers`?"),
            "{told}"
        );
        assert!(told.contains("wrong.yaml:1: servers: missing"), "{told}");
        assert_eq!(out(&refused), "");
    }
}

#[test]
fn a_file_that_is_not_there_is_a_mistake() {
    let folder = tempfile::tempdir().unwrap();
    let refused = authsvc(folder.path(), &["check"], "");
    assert_eq!(refused.status.code(), Some(2));
    assert!(err(&refused).starts_with("attache.yaml: cannot be read: "), "{}", err(&refused));
    assert!(err(&refused).contains("`authsvc init` writes a first one"), "{}", err(&refused));
}

#[test]
fn a_password_from_a_pipe_becomes_a_hash() {
    let folder = tempfile::tempdir().unwrap();
    let hashed = authsvc(folder.path(), &["user", "hash"], "correct horse battery staple\n");
    assert_eq!(hashed.status.code(), Some(0), "{}", err(&hashed));
    assert!(out(&hashed).starts_with("$argon2id$v=19$"), "{}", out(&hashed));
    let short = authsvc(folder.path(), &["user", "hash"], "short\n");
    assert_eq!(short.status.code(), Some(2));
    assert_eq!(err(&short), "authsvc: a password has at least 8 characters, this has 5\n");
}

#[test]
fn a_failure_that_is_no_mistake_has_exit_code_1() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(authsvc(folder.path(), &["init"], "").status.code(), Some(0));
    let refused = authsvc(folder.path(), &["render", "envoy", "-o", "/dev/null/x"], "");
    assert_eq!(refused.status.code(), Some(1));
    assert!(err(&refused).starts_with("authsvc: cannot write /dev/null/x"), "{}", err(&refused));
}

#[test]
fn a_backup_is_written_once_and_only_of_a_database_that_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    assert_eq!(authsvc(folder.path(), &["init"], "").status.code(), Some(0));
    let refused = authsvc(folder.path(), &["backup", "copy.db"], "");
    assert_eq!(refused.status.code(), Some(1));
    assert!(err(&refused).starts_with("authsvc: there is no database at /"), "{}", err(&refused));
    assert!(!path("copy.db").exists() && !path("data/attache.db").exists());

    fs::create_dir_all(path("data")).unwrap();
    // An empty file is an empty database to SQLite.
    fs::write(path("data/attache.db"), "").unwrap();
    let written = authsvc(folder.path(), &["backup", "copy.db"], "");
    assert_eq!(written.status.code(), Some(0), "{}", err(&written));
    let said = "copy.db: written, with private keys in it, encrypted by service.secret; readable by you only\n";
    assert_eq!(out(&written), said);
    assert_eq!(fs::metadata(path("copy.db")).unwrap().permissions().mode() & 0o777, 0o600);
    let again = authsvc(folder.path(), &["backup", "copy.db"], "");
    assert_eq!(again.status.code(), Some(1));
    assert_eq!(err(&again), "authsvc: copy.db is there already and is not overwritten\n");
}

#[test]
fn a_postgresql_database_is_backed_up_by_its_own_programs() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(authsvc(folder.path(), &["init"], "").status.code(), Some(0));
    let file = folder.path().join("attache.yaml");
    let text = fs::read_to_string(&file).unwrap();
    let url = "postgres://me:hunter2@127.0.0.1:1/attache";
    fs::write(&file, text.replace("sqlite://data/attache.db", url)).unwrap();

    let refused = authsvc(folder.path(), &["backup", "copy.db"], "");
    assert_eq!(refused.status.code(), Some(1));
    assert!(err(&refused).contains("pg_dump"), "{}", err(&refused));
    let unreachable = authsvc(folder.path(), &["serve"], "");
    assert_eq!(unreachable.status.code(), Some(1));
    let told = "authsvc: database postgres://me@127.0.0.1:1/attache cannot be opened: ";
    assert!(err(&unreachable).contains(told), "{}", err(&unreachable));
    let checked = authsvc(folder.path(), &["check"], "");
    assert!(out(&checked).contains("postgres://me@127.0.0.1:1/attache\n"), "{}", out(&checked));
    for output in [refused, unreachable, checked] {
        assert!(!(out(&output) + &err(&output)).contains("hunter2"));
    }
}

#[test]
fn users_may_all_be_in_the_database() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(authsvc(folder.path(), &["init"], "").status.code(), Some(0));
    let file = folder.path().join("attache.yaml");
    let text = fs::read_to_string(&file).unwrap();
    let (before, users) = text.split_once("    users:").unwrap();
    let before = before.replace("  embedded:  ", "  embedded: {}  ");
    let rest: Vec<&str> =
        users.lines().skip(1).skip_while(|line| line.starts_with("      ")).collect();
    fs::write(&file, format!("{before}{}\n", rest.join("\n"))).unwrap();
    let run = |arguments: &[&str], input: &str| authsvc(folder.path(), arguments, input);
    let warned = run(&["check"], "");
    assert_eq!(warned.status.code(), Some(0), "{}", err(&warned));
    assert!(err(&warned).contains("warning: nobody can log in yet"), "{}", err(&warned));
    assert!(!folder.path().join("data/attache.db").exists(), "a check makes no database");

    let short = run(&["user", "add", "me@example.com"], "short\n");
    assert_eq!(short.status.code(), Some(2), "{}", err(&short));
    let wrong = run(&["user", "add", "me"], "correct horse\n");
    assert!(err(&wrong).contains("must be an e-mail address"), "{}", err(&wrong));
    let add = ["user", "add", "Me@example.com", "--group", "staff", "--group", "ops"];
    let added = run(&add, "correct horse\n");
    assert_eq!(out(&added), "me@example.com may log in from now on\n", "{}", err(&added));
    assert_eq!(run(&add, "correct horse\n").status.code(), Some(1));
    assert!(!err(&run(&["check"], "")).contains("nobody can log in"));
}

#[test]
fn a_user_of_the_configuration_is_changed_there() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(authsvc(folder.path(), &["init"], "").status.code(), Some(0));
    let refused = authsvc(folder.path(), &["user", "password", "admin@example.com"], "x\n");
    assert_eq!(refused.status.code(), Some(1));
    assert!(err(&refused).contains("`authorization.embedded.users`"), "{}", err(&refused));
}

#[test]
fn users_of_the_database_are_listed_changed_and_removed() {
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str], input: &str| authsvc(folder.path(), arguments, input);
    assert_eq!(run(&["init"], "").status.code(), Some(0));
    let add = ["user", "add", "Me@example.com", "--group", "staff", "--group", "ops"];
    assert_eq!(run(&add, "correct horse\n").status.code(), Some(0));
    let listed = out(&run(&["user", "list"], ""));
    assert!(listed.contains("me@example.com     database       active"), "{listed}");
    assert!(listed.trim_end().ends_with("staff, ops"), "{listed}");
    for (order, said) in [
        ("password", "another password"),
        ("disable", "is disabled; "),
        ("enable", "may log in again; "),
        ("remove", "is removed; "),
    ] {
        let done = run(&["user", order, "me@example.com"], "another horse\n");
        assert!(out(&done).contains(said), "{}{}", out(&done), err(&done));
    }
    let trail = out(&run(&["audit", "list", "--since", "1h", "--json"], ""));
    let told: Vec<&str> = trail
        .lines()
        .filter_map(|line| line.split(r#""action":""#).nth(1)?.split('"').next())
        .collect();
    let all = ["user.add", "user.password", "user.disable", "user.enable", "user.remove"];
    assert_eq!(told, all, "{trail}");
    assert_eq!(out(&run(&["audit", "list"], "")).lines().count(), 6);
    let wrong = run(&["audit", "list", "--since", "yesterday"], "");
    assert_eq!(wrong.status.code(), Some(2), "{}", err(&wrong));
    let gone = run(&["user", "disable", "me@example.com"], "");
    assert_eq!(gone.status.code(), Some(1));
    assert!(err(&gone).contains("`authsvc user list` names them"), "{}", err(&gone));
}

#[test]
fn an_option_that_is_empty_is_a_mistake_and_not_the_default() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(authsvc(folder.path(), &["init"], "").status.code(), Some(0));
    let create = |user: &str, more: [&str; 2]| {
        let all = [&["token", "create", "--expires", "1h", "--user", user][..], &more].concat();
        authsvc(folder.path(), &all, "")
    };
    for option in ["--scopes", "--resource", "--name"] {
        for value in ["", " "] {
            let refused = create("admin@example.com", [option, value]);
            assert_eq!(refused.status.code(), Some(2), "{option}: {}", out(&refused));
            assert_eq!(out(&refused), "");
        }
    }
    let refused = create("", ["--name", "ci"]);
    assert_eq!(refused.status.code(), Some(2), "{}", err(&refused));
    for unknown in [
        create("nobody@example.com", ["--name", "ci"]),
        authsvc(folder.path(), &["token", "list", "--user", "nobody@example.com"], ""),
        authsvc(folder.path(), &["user", "disable", "nobody@example.com"], ""),
    ] {
        let said = "authsvc: there is no user nobody@example.com: `authsvc user list` names them\n";
        assert_eq!((unknown.status.code(), err(&unknown).as_str()), (Some(1), said));
    }
}

#[test]
fn an_id_that_begins_with_a_hyphen_is_no_option() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(authsvc(folder.path(), &["init", "-c", "other.yaml"], "").status.code(), Some(0));
    for id in [format!("-{}", "x".repeat(42)), format!("--{}", "c".repeat(41))] {
        for command in [
            ["user", "show"],
            ["user", "disable"],
            ["user", "enable"],
            ["user", "remove"],
            ["user", "end"],
            ["client", "remove"],
            ["key", "revoke"],
            ["token", "revoke"],
        ] {
            let id = id.as_str();
            for arguments in
                [["-c", "other.yaml", id], [id, "-c", "other.yaml"], [id, "--config", "other.yaml"]]
            {
                let all = [&command[..], &arguments].concat();
                let refused = authsvc(folder.path(), &all, "");
                let said = err(&refused);
                assert!(said.contains("there is no") && said.contains(id), "{all:?}: {said}");
                assert_eq!(refused.status.code(), Some(1), "{all:?}: {said}");
            }
        }
    }
    let wrong = authsvc(folder.path(), &["user", "show", "jane", "-c", "other.yaml"], "");
    assert!(err(&wrong).contains("must be an e-mail address or a subject"), "{}", err(&wrong));
    let help = authsvc(folder.path(), &["user", "show", "--help"], "");
    assert_eq!(help.status.code(), Some(0), "{}", err(&help));
}
