//! Challenges of others: read strictly, since whoever forgives reads something else than the next.

/// The parameters of a bearer challenge, each name once and in lower case.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// The value of a parameter.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// Reads a value of `WWW-Authenticate` that is one challenge of the bearer scheme with parameters (RFC 9110
/// section 11.6.1); anything else is not read.
#[must_use]
pub fn read_challenge(value: &[u8]) -> Option<Parameters> {
    let text = std::str::from_utf8(value).ok()?.trim_matches(SPACE);
    let (scheme, mut rest) = text.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    let mut parameters: Vec<(String, String)> = Vec::new();
    loop {
        let (name, value, after) = parameter(rest.trim_start_matches(SPACE))?;
        if parameters.iter().any(|(known, _)| *known == name) {
            return None;
        }
        parameters.push((name, value));
        let after = after.trim_start_matches(SPACE);
        if after.is_empty() {
            return Some(Parameters(parameters));
        }
        rest = after.strip_prefix(',')?;
    }
}

const SPACE: [char; 2] = [' ', '\t'];

/// A name, its value, and what comes after.
fn parameter(text: &str) -> Option<(String, String, &str)> {
    let (name, rest) = token(text)?;
    let rest = rest.trim_start_matches(SPACE).strip_prefix('=')?.trim_start_matches(SPACE);
    let (value, rest) = match rest.strip_prefix('"') {
        Some(quoted) => quoted_string(quoted)?,
        None => token(rest).map(|(value, rest)| (value.to_owned(), rest))?,
    };
    Some((name.to_ascii_lowercase(), value, rest))
}

/// RFC 9110 section 5.6.2.
fn token(text: &str) -> Option<(&str, &str)> {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    let end = text.bytes().position(|byte| !letter(byte)).unwrap_or(text.len());
    text.split_at_checked(end).filter(|(token, _)| !token.is_empty())
}

/// RFC 9110 section 5.6.4, in ASCII; the first quote is gone.
fn quoted_string(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Some((value, text.get(at + 1..)?)),
            '\\' => value.push(letters.next().map(|(_, letter)| letter).filter(is_visible)?),
            letter if is_visible(&letter) => value.push(letter),
            _ => return None,
        }
    }
    None
}

const fn is_visible(letter: &char) -> bool {
    matches!(*letter, ' '..='~' | '\t')
}
