//! The web site of a client that describes itself, and so needs no registration.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::{
    certificates::{self, Pair},
    person::Person,
    script::Script,
    stack::{Setup, parts},
};

/// A running web site. Dropping it ends it.
#[derive(Debug)]
pub struct Site {
    /// Where its document is: the id of the client.
    pub id: String,
    certificate: PathBuf,
    _script: Script,
}

impl Site {
    /// Starts it with this document, but for `client_id`; its certificate is in `folder`.
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn start(folder: &Path, document: &Value) -> Result<Self> {
        let Pair { certificate, key } = certificates::self_signed(folder)?;
        let program = parts::root().join("tests/clients/documents.py");
        let paths = [&certificate, &key].map(|path| path.to_str().unwrap_or_default());
        let mut script = Script::start(&parts::python()?, &program, &paths)?;
        script.say(&document.to_string()).await?;
        let id = script.said("id", &mut Person::admin()).await?;
        let id = id.as_str().context("no id")?.to_owned();
        Ok(Self { id, certificate, _script: script })
    }

    /// Has a gateway with the section `authorization.{mode}` trust it.
    pub fn trusted_by(&self, setup: &mut Setup, mode: &str) {
        setup.config["authorization"][mode]["client_id_metadata_documents"] = Self::trust();
        self.known_to(setup);
    }

    /// Has a gateway take its certificate for a good one.
    pub fn known_to(&self, setup: &mut Setup) {
        setup.environment.push(("SSL_CERT_FILE", self.certificate.display().to_string()));
    }

    /// `client_id_metadata_documents` of a gateway that trusts it.
    #[must_use]
    pub fn trust() -> Value {
        json!({"hosts": ["localhost"], "allow_private": true})
    }
}
