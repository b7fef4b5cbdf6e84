//! A text in two versions: with what is ours, and without.
//!
//! This is where the expectation comes from, and it knows nothing of how the gateway finds and cuts: the pieces
//! are known before the text is.

use super::json::Pen;

/// The same text with our arguments and without.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Two {
    /// As it is between client and gateway.
    pub with: String,
    /// As it is between gateway and server.
    pub without: String,
}

/// An object under construction.
#[derive(Clone, Debug, Default)]
pub struct Object {
    members: Vec<Member>,
}

#[derive(Clone, Debug)]
struct Member {
    before: &'static str,
    text: Two,
    after: &'static str,
    whose: Whose,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Whose {
    Theirs,
    Ours,
}

impl From<String> for Two {
    fn from(text: String) -> Self {
        Self { with: text.clone(), without: text }
    }
}

impl From<&str> for Two {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl Two {
    /// Appends.
    pub fn push(&mut self, other: &Self) {
        self.with.push_str(&other.with);
        self.without.push_str(&other.without);
    }

    /// Appends the same to both.
    pub fn push_both(&mut self, text: &str) {
        self.with.push_str(text);
        self.without.push_str(text);
    }

    /// Whether nothing of ours is in it.
    #[must_use]
    pub fn is_same(&self) -> bool {
        self.with == self.without
    }
}

impl Object {
    /// Adds a member of theirs; its name is spelled as the pen likes.
    pub fn add(&mut self, pen: &mut Pen, name: &str, value: Two) {
        self.member(pen, name, value, Whose::Theirs);
    }

    /// Adds a member of ours, which only the text with it has.
    pub fn add_ours(&mut self, pen: &mut Pen, name: &str, value: &str) {
        self.member(pen, name, value.into(), Whose::Ours);
    }

    fn member(&mut self, pen: &mut Pen, name: &str, value: Two, whose: Whose) {
        let mut text = Two::from(pen.string(name));
        text.push_both(&format!("{}:{}", pen.space(), pen.space()));
        text.push(&value);
        self.members.push(Member { before: pen.space(), text, after: pen.space(), whose });
    }

    /// Adds members of ours where the gateway puts them: behind the value of the last, before the white space there.
    pub fn inject(&mut self, pen: &mut Pen, text: &str) {
        let after = match self.members.last_mut() {
            Some(last) => std::mem::take(&mut last.after),
            None => pen.space(),
        };
        self.members.push(Member { before: "", text: text.into(), after, whose: Whose::Ours });
    }

    /// Another order of the members that are there so far.
    pub fn shuffle(&mut self, pen: &mut Pen) {
        pen.dice.shuffle(&mut self.members);
    }

    /// Both texts.
    pub fn text(&self, pen: &mut Pen) -> Two {
        let (Some(first), Some(last)) = (self.members.first(), self.members.last()) else {
            return format!("{{{}}}", pen.space()).into();
        };
        let with: Vec<String> = self
            .members
            .iter()
            .map(|Member { before, text, after, .. }| format!("{before}{}{after}", text.with))
            .collect();
        // Each member of ours takes along one comma and the white space around that: what is left between two
        // members is what was in front of the second.
        let mut without = String::from(first.before);
        let mut follows = false;
        for (at, member) in self.members.iter().enumerate() {
            if member.whose == Whose::Ours {
                continue;
            }
            if follows {
                without.push_str(&format!("{},{}", self.members[at - 1].after, member.before));
            }
            without.push_str(&member.text.without);
            follows = true;
        }
        without.push_str(last.after);
        Two { with: format!("{{{}}}", with.join(",")), without: format!("{{{without}}}") }
    }
}

/// An array.
#[must_use]
pub fn array(pen: &mut Pen, items: &[Two]) -> Two {
    let mut text = Two::from("[");
    for (at, item) in items.iter().enumerate() {
        text.push_both(if at == 0 { "" } else { "," });
        text.push_both(pen.space());
        text.push(item);
        text.push_both(pen.space());
    }
    if items.is_empty() {
        text.push_both(pen.space());
    }
    text.push_both("]");
    text
}
