//! A `client_id` that is the URL of a document (Client ID Metadata Document draft, section 3).

use url::{Host, Url};

use crate::config::{HostPattern, MetadataDocuments, Targets};

/// Longest URL, bytes.
const MAX_LENGTH: usize = 1024;

/// The URL of a document that we may fetch.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DocumentUrl {
    url: Url,
    text: String,
}

impl DocumentUrl {
    /// The URL that a `client_id` is, if it is one and the operator trusts its host.
    #[must_use]
    pub fn parse(client_id: &str, policy: &MetadataDocuments) -> Option<Self> {
        let url = Url::parse(client_id).ok().filter(|_| client_id.len() <= MAX_LENGTH)?;
        // Only what stands for itself: a client_id is compared byte for byte, with the document and in what is kept.
        let plain = client_id.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
        let names_a_document = url.path() != "/"
            && url.as_str() == client_id
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none();
        let good = plain && names_a_document && scheme(&url, policy) && host(&url, policy);
        good.then(|| Self { url, text: client_id.to_owned() })
    }

    /// The host of a `client_id` that names a document as it should, if it is for the host alone that nothing is
    /// fetched.
    #[must_use]
    pub fn untrusted_host(client_id: &str, policy: &MetadataDocuments) -> Option<String> {
        let any = MetadataDocuments { hosts: vec![HostPattern::Any], ..policy.clone() };
        let id = Self::parse(client_id, &any).filter(|id| !host(&id.url, policy))?;
        id.url.host_str().map(str::to_owned)
    }

    /// Where it is.
    #[must_use]
    pub const fn url(&self) -> &Url {
        &self.url
    }

    /// `client_id`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

/// Whether a `client_id` is meant to be the URL of a document; registered ones never look like it.
#[must_use]
pub fn is_url(client_id: &str) -> bool {
    client_id.contains("://")
}

/// The host that answers for a client, where its id is a URL.
#[must_use]
pub fn host_of(client_id: &str) -> Option<String> {
    let url = Url::parse(client_id).ok().filter(|_| is_url(client_id))?;
    url.host_str().map(str::to_owned)
}

/// In clear only to this machine, for those who develop a client, and only where that is allowed.
fn scheme(url: &Url, policy: &MetadataDocuments) -> bool {
    let loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    match url.scheme() {
        "https" => true,
        "http" => loopback && policy.targets == Targets::Any,
        _ => false,
    }
}

fn host(url: &Url, policy: &MetadataDocuments) -> bool {
    let host = url.host_str().unwrap_or_default();
    policy.hosts.iter().any(|pattern| match pattern {
        HostPattern::Any => true,
        HostPattern::Exactly(name) => host == name,
        HostPattern::Below(name) => {
            host.strip_suffix(name.as_str()).is_some_and(|rest| rest.ends_with('.'))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::DocumentUrl;
    use crate::config::{HostPattern, MetadataDocuments, Targets};

    fn accepted(client_id: &str, hosts: &[HostPattern], targets: Targets) -> bool {
        let policy = MetadataDocuments { hosts: hosts.to_vec(), targets };
        DocumentUrl::parse(client_id, &policy).is_some()
    }

    #[test]
    fn s54_only_a_plain_https_url_with_a_path_names_a_document() {
        for id in [
            "https://claude.ai/oauth/claude-code-client-metadata",
            "https://chatgpt.com/oauth/abc/client.json",
            "https://client.example:8443/x?version=2",
        ] {
            assert!(accepted(id, &[HostPattern::Any], Targets::Public), "{id}");
        }
        for id in [
            "https://client.example",
            "https://client.example/",
            "http://client.example/x",
            "https://client.example/x#y",
            "https://user@client.example/x",
            "https://user:password@client.example/x",
            "https://client.example/a/../x",
            "https://client.example/./x",
            "https://client.example/a/%2e%2e/x",
            "https://CLIENT.example/x",
            "https://client.example:443/x",
            "https:client.example/x",
            "https:///client.example/x",
            "https://client.example/x y",
            "https://client.example\\x",
            " https://client.example/x",
            "https://client.example/\u{e4}",
            "http://localhost/x",
            "http://127.0.0.1/x",
            "javascript://client.example/x",
            "data:application/json,{}",
            "0193-registered",
            "",
            &format!("https://client.example/{}", "x".repeat(1024)),
        ] {
            assert!(!accepted(id, &[HostPattern::Any], Targets::Public), "{id}");
        }
    }

    #[test]
    fn the_operator_says_which_hosts_are_trusted() {
        let hosts = [
            HostPattern::Exactly("claude.ai".to_owned()),
            HostPattern::Below("example.com".to_owned()),
        ];
        let trusted = |id: &str| accepted(id, &hosts, Targets::Public);
        assert!(trusted("https://claude.ai/x"));
        assert!(trusted("https://a.b.example.com/x"));
        assert!(!trusted("https://example.com/x"));
        assert!(!trusted("https://notexample.com/x"));
        assert!(!trusted("https://claude.ai.evil.example/x"));
        assert!(!accepted("https://claude.ai/x", &[], Targets::Public));
    }

    #[test]
    fn in_clear_only_to_this_machine_and_only_where_that_is_allowed() {
        let any = |id: &str| accepted(id, &[HostPattern::Any], Targets::Any);
        assert!(any("http://localhost:3000/client.json") && any("http://127.0.0.1:3000/x"));
        assert!(!any("http://10.0.0.1/x") && !any("http://client.example/x"));
    }
}
