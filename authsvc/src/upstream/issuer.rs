//! Whose tokens are a provider's: one issuer, or, of Microsoft Entra, one for each tenant.

use crate::config::{Issuer, Tenants};

/// What stands for a tenant in the metadata of Entra.
const TENANT: &str = "{tenantid}";
/// First segments of the path at which Entra speaks for several tenants.
const SHARED: [&str; 2] = ["common", "organizations"];

/// The issuers of a provider.
#[derive(Clone, Debug)]
pub struct Issuers {
    configured: Issuer,
    tenants: Tenants,
}

impl Issuers {
    /// As they are configured.
    #[must_use]
    pub fn new(issuer: &Issuer, tenants: &Tenants) -> Self {
        Self { configured: issuer.clone(), tenants: tenants.clone() }
    }

    /// Where its metadata is.
    #[must_use]
    pub const fn configured(&self) -> &Issuer {
        &self.configured
    }

    /// What `issuer` of its metadata must be.
    #[must_use]
    pub fn of_metadata(&self) -> String {
        match self.tenants {
            Tenants::Single => self.configured.as_str().to_owned(),
            Tenants::Listed(_) | Tenants::Any => {
                template(&self.configured).unwrap_or_else(|| self.configured.as_str().to_owned())
            }
        }
    }

    /// Whether this is an issuer of the provider, byte for byte, and of a tenant that may come in.
    #[must_use]
    pub fn contain(&self, issuer: &str) -> bool {
        if self.tenants == Tenants::Single {
            return issuer == self.configured.as_str();
        }
        let Some(tenant) = self.tenant(issuer) else { return false };
        match &self.tenants {
            Tenants::Single => false,
            Tenants::Listed(listed) => listed.iter().any(|one| one == tenant),
            Tenants::Any => is_tenant(tenant),
        }
    }

    /// Whether an issuer may be of both.
    #[must_use]
    pub fn overlap(&self, other: &Self) -> bool {
        if self.contain(other.configured.as_str()) || other.contain(self.configured.as_str()) {
            return true;
        }
        let same = template(&self.configured).is_some()
            && template(&self.configured) == template(&other.configured);
        same && match (&self.tenants, &other.tenants) {
            (Tenants::Single, _) | (_, Tenants::Single) => false,
            (Tenants::Any, _) | (_, Tenants::Any) => true,
            (Tenants::Listed(one), Tenants::Listed(two)) => {
                one.iter().any(|tenant| two.contains(tenant))
            }
        }
    }

    /// The tenant that an issuer is of.
    fn tenant<'a>(&self, issuer: &'a str) -> Option<&'a str> {
        let template = template(&self.configured)?;
        let (before, after) = template.split_once(TENANT)?;
        issuer.strip_prefix(before)?.strip_suffix(after)
    }

    /// Whether `tid`, where it is said, is the tenant of this issuer.
    #[must_use]
    pub fn agree(&self, issuer: &str, tid: Option<&str>) -> bool {
        match (&self.tenants, tid) {
            (Tenants::Single, _) | (_, None) => true,
            (Tenants::Listed(_) | Tenants::Any, Some(tid)) => self.tenant(issuer) == Some(tid),
        }
    }
}

/// What the metadata of an issuer says that speaks for several tenants; nothing if it is none.
#[must_use]
pub fn template(issuer: &Issuer) -> Option<String> {
    let first = issuer.url().path_segments()?.next().filter(|first| SHARED.contains(first))?;
    let origin = issuer.url().origin().ascii_serialization();
    let rest = issuer.as_str().strip_prefix(&format!("{origin}/{first}"))?;
    Some(format!("{origin}/{TENANT}{rest}"))
}

/// A tenant is named by its GUID, in lower case, as it stands in tokens.
#[must_use]
pub fn is_tenant(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    let hexadecimal = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12])
        && groups.iter().all(|group| group.bytes().all(hexadecimal))
}
