//! Names that people trust, and where those who bear them receive codes.
//!
//! Anybody may register as "Claude". Where such a name comes with a redirect URI that is not known to be that
//! vendor's, the consent page says so. The table is a reason to look twice, never a permission: what is not in it is
//! asked about as everything else, and what is in it, too. Programs on the user's own machine are not judged here,
//! since any vendor may have one; the page warns of all of them.

use unicode_security::skeleton;

use super::answer::Receiver;

/// A vendor of MCP clients.
#[derive(Debug)]
struct Vendor {
    /// As it is shown.
    name: &'static str,
    /// What is in names of its applications, without anything but lower-case letters.
    marks: &'static [&'static str],
    /// Hosts of its redirect URIs; with a dot in front every name below as well. None on which it serves what its
    /// customers wrote.
    hosts: &'static [&'static str],
    /// Private-use schemes of its applications.
    schemes: &'static [&'static str],
}

const VENDORS: [Vendor; 9] = [
    Vendor {
        name: "Claude",
        marks: &["claude", "anthropic"],
        hosts: &["claude.ai", "claude.com", ".anthropic.com"],
        schemes: &["claude"],
    },
    Vendor {
        name: "ChatGPT",
        marks: &["chatgpt", "openai"],
        hosts: &["chatgpt.com", ".openai.com"],
        schemes: &["chatgpt"],
    },
    Vendor {
        name: "Codex",
        marks: &["codex"],
        hosts: &["chatgpt.com", ".openai.com"],
        schemes: &["codex"],
    },
    Vendor {
        name: "VS Code",
        marks: &["vscode", "visualstudio"],
        hosts: &["vscode.dev", "insiders.vscode.dev"],
        schemes: &["vscode", "vscode-insiders"],
    },
    Vendor {
        name: "GitHub Copilot",
        marks: &["copilot", "github"],
        hosts: &[
            "github.com",
            "vscode.dev",
            "insiders.vscode.dev",
            "global.consent.azure-apim.net",
        ],
        schemes: &["vscode", "vscode-insiders"],
    },
    Vendor {
        name: "Cursor",
        marks: &["cursor"],
        hosts: &["cursor.com", "www.cursor.com"],
        schemes: &["cursor"],
    },
    Vendor { name: "Gemini", marks: &["gemini"], hosts: &["gemini.google.com"], schemes: &[] },
    Vendor {
        name: "Windsurf",
        marks: &["windsurf"],
        hosts: &["windsurf.com", "www.windsurf.com"],
        schemes: &["windsurf"],
    },
    Vendor {
        name: "Perplexity",
        marks: &["perplexity"],
        hosts: &["perplexity.ai", "www.perplexity.ai"],
        schemes: &["perplexity"],
    },
];

/// The vendor whose name a client bears although it is not known to receive codes where this one does.
#[must_use]
pub fn pretended(name: &str, receiver: &Receiver) -> Option<&'static str> {
    let read = as_read(name);
    let mut named = VENDORS.iter().filter(|vendor| vendor.is_in(&read)).peekable();
    let first = named.peek()?.name;
    named.all(|vendor| !vendor.receives(receiver)).then_some(first)
}

impl Vendor {
    fn is_in(&self, read: &str) -> bool {
        self.marks.iter().any(|mark| read.contains(&as_read(mark)))
    }

    fn receives(&self, receiver: &Receiver) -> bool {
        match receiver {
            Receiver::Loopback { .. } => true,
            Receiver::Web { host } => self.hosts.iter().any(|own| match own.strip_prefix('.') {
                Some(domain) => host == domain || host.ends_with(own),
                None => host == own,
            }),
            Receiver::PrivateUse { target } => {
                let scheme = target.split(':').next().unwrap_or_default();
                self.schemes.contains(&scheme)
            }
        }
    }
}

/// A name as it looks: what resembles a letter is that letter (UTS #39), and only letters count. A capital I looks like
/// an l, too, and is one letter with it here: cases count as little.
fn as_read(name: &str) -> String {
    let lower: String = name.chars().flat_map(char::to_lowercase).collect();
    let looks: String = skeleton(&lower).collect();
    let letters = looks.chars().flat_map(char::to_lowercase).filter(|one| one.is_alphabetic());
    letters.map(|one| if one == 'i' { 'l' } else { one }).collect()
}

#[cfg(test)]
mod tests {
    use super::pretended;
    use crate::authorization::answer::receiver;

    fn of(name: &str, redirect_uri: &str) -> Option<&'static str> {
        pretended(name, &receiver(redirect_uri))
    }

    #[test]
    fn s52_a_vendor_is_believed_where_it_receives_codes() {
        for (name, uri) in [
            ("Claude", "https://claude.ai/api/mcp/auth_callback"),
            ("Claude", "https://claude.com/api/mcp/auth_callback"),
            ("Claude Code (everything)", "http://localhost:53412/callback"),
            ("ChatGPT", "https://chatgpt.com/connector/oauth/x"),
            ("Codex", "http://127.0.0.1:1455/callback"),
            ("Visual Studio Code", "https://vscode.dev/redirect"),
            ("GitHub Copilot in VS Code", "https://insiders.vscode.dev/redirect"),
            ("Cursor", "cursor://anysphere.cursor-mcp/oauth/callback"),
            ("Cursor", "https://www.cursor.com/agents/mcp/oauth/callback"),
            ("OpenAI", "https://platform.openai.com/callback"),
            ("Weather", "https://weather.example/callback"),
            ("", "https://weather.example/callback"),
        ] {
            assert_eq!(of(name, uri), None, "{name} at {uri}");
        }
    }

    #[test]
    fn s52_a_vendors_name_at_another_host_is_noticed_however_it_is_written() {
        for (name, uri, vendor) in [
            ("Claude", "https://evil.example/callback", "Claude"),
            ("my claude-code", "https://claude.ai.evil.example/callback", "Claude"),
            ("CLAUDE", "https://evilclaude.ai/callback", "Claude"),
            ("Claude", "https://claude.ai:8443/callback", "Claude"),
            ("С l а u d е", "https://evil.example/callback", "Claude"),
            ("C1aude", "https://evil.example/callback", "Claude"),
            ("CIaude", "https://evil.example/callback", "Claude"),
            ("OpenAl", "https://evil.example/callback", "ChatGPT"),
            ("GITHUB COPILOT", "https://evil.example/callback", "GitHub Copilot"),
            ("Chat-GPT", "https://evil.example/callback", "ChatGPT"),
            ("0penAI", "https://evilopenai.com/callback", "ChatGPT"),
            ("VS Code", "https://evil.github.dev/callback", "VS Code"),
            ("Gemini", "https://script.google.com/macros/s/x/exec", "Gemini"),
            ("Cursor", "evil://callback", "Cursor"),
        ] {
            assert_eq!(of(name, uri), Some(vendor), "{name} at {uri}");
        }
    }
}
