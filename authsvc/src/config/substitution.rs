//! `${VAR}` and `${VAR:-default}`: found before the file is parsed, filled in afterwards, scalar by scalar.
//!
//! A reference is swapped for a mark of private-use characters, the marked text is parsed as YAML, and only
//! then do values take the place of marks. So a value cannot change the structure of the file, whatever it
//! holds (quotes, colons, line breaks); a reference may stand where YAML would not allow its braces (in
//! `{value: ${KEY}}`); and one in a comment is nothing.

use thiserror::Error;

/// Where values come from: the process environment, or a map in tests.
pub type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

const OPEN: char = '\u{E000}';
const CLOSE: char = '\u{E001}';

/// A file whose references were swapped for marks.
#[derive(Debug)]
pub(super) struct Marked {
    /// What is parsed as YAML; line for line the file.
    pub(super) text: String,
    references: Vec<Reference>,
}

#[derive(Debug)]
struct Reference {
    /// As written, `${...}` or `$${`.
    source: String,
    meaning: Meaning,
}

#[derive(Debug)]
enum Meaning {
    /// `$${`: a literal `${`.
    Escape,
    /// `${name}`, `${name:-default}`.
    Variable { name: String, default: Option<String> },
}

/// A reference that has no value.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub(super) enum Unfilled {
    /// Not in the environment, and no default.
    #[error(
        "the environment variable {0} is not set: set it, or write ${{{0}:-a default}} (a literal ${{ is written $${{)"
    )]
    Unset(String),
    /// `${` that begins no reference.
    #[error(
        "a reference is written ${{NAME}} or ${{NAME:-a default}} on one line, and a literal ${{ is written $${{"
    )]
    Malformed,
}

/// The file contains characters that marks are made of.
#[derive(Debug, Error)]
#[error("the private-use characters U+E000 and U+E001 cannot be used")]
pub(super) struct Unmarkable;

impl Marked {
    /// Swaps every reference for a mark.
    ///
    /// # Errors
    /// When the text already contains the characters that marks are made of.
    pub(super) fn new(source: &str) -> Result<Self, Unmarkable> {
        if source.contains([OPEN, CLOSE]) {
            return Err(Unmarkable);
        }
        let mut marked = Self { text: String::with_capacity(source.len()), references: Vec::new() };
        let mut rest = source;
        while let Some((before, from)) = rest.find('$').and_then(|at| rest.split_at_checked(at)) {
            marked.text.push_str(before);
            rest = match Reference::at_start_of(from) {
                Some((reference, after)) => {
                    marked.text.push_str(&format!("{OPEN}{}{CLOSE}", marked.references.len()));
                    marked.references.push(reference);
                    after
                }
                None => {
                    marked.text.push('$');
                    from.strip_prefix('$').unwrap_or_default()
                }
            };
        }
        marked.text.push_str(rest);
        Ok(marked)
    }

    /// Puts values in the place of marks.
    ///
    /// # Errors
    /// [`Unfilled`] for the first reference that has no value.
    pub(super) fn fill(&self, scalar: &str, lookup: Lookup<'_>) -> Result<String, Unfilled> {
        // What is a reference was marked: this is not one.
        if scalar.contains("${") {
            return Err(Unfilled::Malformed);
        }
        self.replace(scalar, |reference| match &reference.meaning {
            Meaning::Escape => Ok("${".to_owned()),
            Meaning::Variable { name, default } => match (lookup(name), default) {
                (Some(value), None) => Ok(value),
                (Some(value), Some(_)) if !value.is_empty() => Ok(value),
                (_, Some(default)) => Ok(default.clone()),
                (None, None) => Err(Unfilled::Unset(name.clone())),
            },
        })
    }

    /// Puts the text of the file back in the place of marks: for messages.
    pub(super) fn source(&self, marked: &str) -> String {
        let source = self.replace(marked, |reference| Ok::<_, Unfilled>(reference.source.clone()));
        source.unwrap_or_default()
    }

    /// Whether a value takes part in this scalar.
    pub(super) fn is_marked(scalar: &str) -> bool {
        scalar.contains(OPEN)
    }

    fn replace<E>(
        &self,
        marked: &str,
        mut by: impl FnMut(&Reference) -> Result<String, E>,
    ) -> Result<String, E> {
        let mut out = String::with_capacity(marked.len());
        let mut rest = marked;
        while let Some((before, from)) = rest.split_once(OPEN) {
            out.push_str(before);
            let (number, after) = from.split_once(CLOSE).unwrap_or((from, ""));
            if let Some(reference) =
                number.parse().ok().and_then(|at: usize| self.references.get(at))
            {
                out.push_str(&by(reference)?);
            }
            rest = after;
        }
        out.push_str(rest);
        Ok(out)
    }
}

impl Reference {
    /// The reference that `text`, which begins with `$`, begins with; and what follows it.
    fn at_start_of(text: &str) -> Option<(Self, &str)> {
        if let Some(after) = text.strip_prefix("$${") {
            return Some((Self { source: "$${".to_owned(), meaning: Meaning::Escape }, after));
        }
        let (inner, after) = text.strip_prefix("${")?.split_once('}')?;
        let (name, default) = match inner.split_once(":-") {
            Some((name, default)) => (name, Some(default.to_owned())),
            None => (inner, None),
        };
        let named = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
            && name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
        if !named || inner.contains(['\n', '\r']) {
            return None;
        }
        let meaning = Meaning::Variable { name: name.to_owned(), default };
        Some((Self { source: format!("${{{inner}}}"), meaning }, after))
    }
}

#[cfg(test)]
mod tests {
    use super::{Marked, Unfilled};

    fn check(source: &str, expected: Result<&str, Unfilled>) {
        let lookup = |name: &str| match name {
            "A" => Some("alpha".to_owned()),
            "EMPTY" => Some(String::new()),
            "NESTED" => Some("${A}".to_owned()),
            _ => None,
        };
        let marked = Marked::new(source).unwrap();
        assert_eq!(marked.fill(&marked.text, &lookup), expected.map(str::to_owned), "{source}");
        assert_eq!(marked.source(&marked.text), source);
        assert_eq!(marked.text.lines().count(), source.lines().count(), "lines are kept");
    }

    #[test]
    fn variables_are_filled_in() {
        check("${A}", Ok("alpha"));
        check("x${A}y${A}z", Ok("xalphayalphaz"));
        check("${A:-beta}", Ok("alpha"));
        check("${B:-beta: {\"}", Ok("beta: {\""));
        check("${B:-}", Ok(""));
        check("${EMPTY}", Ok(""));
        check("${EMPTY:-full}", Ok("full"));
    }

    #[test]
    fn a_dollar_without_a_brace_is_itself() {
        check(
            "$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA",
            Ok("$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA"),
        );
        check("100$", Ok("100$"));
        check("$$", Ok("$$"));
        check("$A", Ok("$A"));
    }

    #[test]
    fn a_doubled_dollar_escapes_a_reference() {
        check("$${A}", Ok("${A}"));
        check("$${", Ok("${"));
        check("$$${A}", Ok("$${A}"));
    }

    #[test]
    fn a_value_is_not_looked_at_again() {
        check("${NESTED}", Ok("${A}"));
    }

    #[test]
    fn a_reference_without_a_value_is_an_error() {
        check("${B}", Err(Unfilled::Unset("B".to_owned())));
    }

    #[test]
    fn a_brace_that_begins_no_reference_is_an_error() {
        for source in ["${", "${}", "${1A}", "${A B}", "${A-x}", "${A", "${A\n}"] {
            check(source, Err(Unfilled::Malformed));
        }
    }

    #[test]
    fn a_file_cannot_bring_its_own_marks() {
        assert!(Marked::new("x\u{E000}0\u{E001}").is_err());
    }
}
