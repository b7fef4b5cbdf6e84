//! Accounts at providers of identities.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256};

use super::{Member, Source};
use crate::{
    clock::seconds,
    config::{Brokered, Config, Federated, Tenants},
    store::accounts::Account,
    upstream::{identity::Identity, issuer::Issuers},
};

/// Providers whose users may log in.
#[must_use]
pub fn providers(config: &Config) -> &[Federated] {
    config.authorization.embedded().map_or(&[], |embedded| &embedded.federation)
}

/// The subject of a new account: as that of a user, of the issuer that they log in at and their subject there.
#[must_use]
pub fn sub_of(config: &Config, issuer: &str, subject: &str) -> String {
    let text = format!("{}\n{issuer}\n{subject}", config.public_url);
    URL_SAFE_NO_PAD.encode(Sha256::digest(text))
}

/// The account of somebody who logs in at the provider of this name, if they have none yet.
#[must_use]
pub fn account(config: &Config, provider: &str, identity: Identity, now: i64) -> Account {
    let Identity { issuer, subject, email, name, groups } = identity;
    Account {
        id: sub_of(config, &issuer, &subject),
        provider: provider.to_owned(),
        issuer,
        subject,
        email: email.map(|email| email.as_str().to_owned()),
        name,
        groups,
        created_at: now,
        seen_at: now,
        disabled_at: None,
        epoch: 0,
    }
}

/// Why somebody with this address may not come in.
///
/// # Errors
/// The reason, in words for them.
pub fn admits(provider: &Federated, email: Option<&str>) -> Result<(), &'static str> {
    let admission = &provider.admission;
    let domain = email.and_then(|email| email.rsplit_once('@')).map(|(_, domain)| domain);
    match domain {
        None if admission.require_verified_email || !admission.email_domains.is_empty() => {
            Err("it has no verified e-mail address there")
        }
        Some(domain)
            if !admission.email_domains.is_empty()
                && !admission.email_domains.iter().any(|one| one == domain) =>
        {
            Err("its e-mail address is of another domain")
        }
        None | Some(_) => Ok(()),
    }
}

/// Somebody with an account, if they may log in as the configuration is now.
pub(super) fn member(config: &Config, account: Account) -> Option<Member> {
    if let Some(brokered) = config.authorization.brokered() {
        return brokered_member(config, brokered, account);
    }
    let provider = providers(config).iter().find(|one| one.name == account.provider)?;
    let theirs = Issuers::new(&provider.issuer, &provider.tenants).contain(&account.issuer);
    let email = account.email;
    if !theirs || account.disabled_at.is_some() || admits(provider, email.as_deref()).is_err() {
        return None;
    }
    let source = Source::Provider {
        label: provider.label.clone(),
        policy: policy(provider),
        good_for: seconds(provider.max_session),
        epoch: account.epoch,
    };
    Some(named(Account { email, ..account }, &provider.label, source))
}

/// Somebody with an account at the provider before which authsvc stands: it says itself who may come in.
fn brokered_member(config: &Config, brokered: &Brokered, account: Account) -> Option<Member> {
    if account.issuer != brokered.issuer.as_str() || account.disabled_at.is_some() {
        return None;
    }
    let label = brokered.label();
    let policy = Sha256::digest(format!("attache broker 1\n{}", brokered.issuer)).to_vec();
    let good_for = seconds(config.authorization.refresh.absolute);
    let source = Source::Provider { label: label.clone(), policy, good_for, epoch: account.epoch };
    Some(named(account, &label, source))
}

fn named(account: Account, label: &str, source: Source) -> Member {
    let Account { id, email, name, groups, .. } = account;
    let name = email.clone().or(name).unwrap_or_else(|| {
        let short: String = id.chars().take(8).collect();
        format!("account {short}")
    });
    Member { sub: id, name: format!("{name} ({label})"), email, groups, source }
}

/// A digest of who may come in at a provider, and as whose client.
fn policy(provider: &Federated) -> Vec<u8> {
    let tenants = match &provider.tenants {
        Tenants::Single => Vec::new(),
        Tenants::Any => vec!["*".to_owned()],
        Tenants::Listed(listed) => listed.clone(),
    };
    let admission = &provider.admission;
    let text = format!(
        "attache provider 1\n{}\n{}\n{}\n{}\n{}\n{}",
        provider.issuer,
        provider.client.id,
        tenants.join(" "),
        provider.hosted_domain.as_deref().unwrap_or_default(),
        admission.email_domains.join(" "),
        admission.require_verified_email,
    );
    Sha256::digest(text).to_vec()
}
