//! Certificates of a test, made with openssl, good for two days.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Result, ensure};

const KEY: [&str; 6] =
    ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days"];
const DAYS: &str = "2";
const NAMES: &str = "subjectAltName=DNS:localhost,IP:127.0.0.1";

/// A certificate and its private key, PEM.
#[derive(Clone, Debug)]
pub struct Pair {
    /// Certificate.
    pub certificate: PathBuf,
    /// Private key.
    pub key: PathBuf,
}

/// An authority of a test.
#[derive(Clone, Debug)]
pub struct Authority {
    folder: PathBuf,
    own: Pair,
}

impl Pair {
    fn named(folder: &Path, name: &str) -> Self {
        let file = |end: &str| folder.join(format!("{name}.{end}"));
        Self { certificate: file("pem"), key: file("key") }
    }
}

/// A certificate for `localhost` that nobody but itself vouches for.
///
/// # Errors
/// When openssl refuses.
pub fn self_signed(folder: &Path) -> Result<Pair> {
    let pair = Pair::named(folder, "certificate");
    make(&pair, &["-subj", "/CN=localhost", "-addext", NAMES, "-addext", LEAF])?;
    Ok(pair)
}

const LEAF: &str = "basicConstraints=critical,CA:FALSE";

impl Authority {
    /// A new one, whose files are in `folder` under this name.
    ///
    /// # Errors
    /// When openssl refuses.
    pub fn new(folder: &Path, name: &str) -> Result<Self> {
        let own = Pair::named(folder, name);
        make(
            &own,
            &["-subj", &format!("/CN={name}"), "-addext", "basicConstraints=critical,CA:TRUE"],
        )?;
        Ok(Self { folder: folder.to_owned(), own })
    }

    /// Its certificate.
    #[must_use]
    pub fn certificate(&self) -> &Path {
        &self.own.certificate
    }

    /// A certificate for `localhost`, of a server or a client.
    ///
    /// # Errors
    /// When openssl refuses.
    pub fn issue(&self, name: &str) -> Result<Pair> {
        let pair = Pair::named(&self.folder, name);
        let [authority, key] =
            [&self.own.certificate, &self.own.key].map(|path| path.display().to_string());
        let subject = format!("/CN={name}");
        make(
            &pair,
            &[
                "-subj", &subject, "-addext", NAMES, "-addext", LEAF, "-CA", &authority, "-CAkey",
                &key,
            ],
        )?;
        Ok(pair)
    }
}

fn make(pair: &Pair, arguments: &[&str]) -> Result<()> {
    let done = Command::new("openssl")
        .args(["req", "-x509"])
        .args(KEY)
        .arg(DAYS)
        .args(arguments)
        .arg("-keyout")
        .arg(&pair.key)
        .arg("-out")
        .arg(&pair.certificate)
        .output()?;
    ensure!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    Ok(())
}
