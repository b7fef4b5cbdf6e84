//! JSON as bytes: checked once, read in place, changed by splices.
//!
//! A [`Value`] is a view of text that [`parse`] has checked, so reading it cannot fail on syntax.
//! [`Edits`] change bytes and leave all others as they are. [`Watch`] looks at a text that flows by.

mod edits;
mod scan;
mod value;
mod watch;

pub use edits::{Edits, Overlap};
pub use scan::{Error, Fault, MAX_DEPTH};
pub(crate) use value::is_lookalike;
pub use value::{Duplicate, Elements, Kind, Member, Members, Value};
pub use watch::{Ended, Watch};

/// Checks a complete text (RFC 8259) and gives a view of its one value.
///
/// Nesting above `depth` (itself at most [`MAX_DEPTH`]) is refused. A `\u` escape of a lone surrogate is
/// syntax and passes, as in RFC 8259 section 8.2; [`Value::as_str`] is `None` for such a string.
///
/// # Errors
/// Where the text stops being JSON, and why.
pub fn parse(text: &[u8], depth: usize) -> Result<Value<'_>, Error> {
    let text = std::str::from_utf8(text)
        .map_err(|error| Error { at: error.valid_up_to(), fault: Fault::NotUtf8 })?;
    let span = scan::check(text.as_bytes(), depth)?;
    Ok(Value::new(text, span))
}

#[cfg(all(test, not(target_arch = "wasm32")))]
pub(crate) mod random;
#[cfg(test)]
mod tests;
