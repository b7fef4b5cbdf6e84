//! JSON as no tidy serializer writes it: every legal spelling of strings, numbers and white space.

use std::fmt::Write as _;

use super::{dice::Dice, object::Object};

/// What names are made of. No name of the protocol can be written with these letters, in any case.
const LETTERS: &[&str] = &[
    "a", "b", "c", "x", "y", "Z", "0", "9", " ", ".", "/", "$", "é", "漢", "😀", "\"", "\\",
    "\u{7f}", "\u{2028}", "\u{0}", "\n", "\u{feff}",
];

/// Which white space is written between tokens.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum White {
    /// All that JSON knows.
    All,
    /// All but CR: the lines of the text become `data` lines of an event, which are joined by LF.
    NoReturn,
}

/// Writes JSON.
#[derive(Clone, Debug)]
pub struct Pen {
    /// Decides.
    pub dice: Dice,
    /// What it puts between tokens.
    pub white: White,
}

impl Pen {
    /// White space, or none.
    pub fn space(&mut self) -> &'static str {
        if !self.dice.one_in(5) {
            return "";
        }
        match self.white {
            White::All => self.dice.pick(&[" ", "\t", "\n", "\r\n", "\r", "  \t\r\n  "]),
            White::NoReturn => self.dice.pick(&[" ", "\t", "\n", "  \n\t ", "\n\n"]),
        }
    }

    /// This text as a JSON string, in one of its spellings.
    pub fn string(&mut self, text: &str) -> String {
        let escapes = self.dice.pick(&[0, 0, 0, 1, 2]);
        let mut out = String::from("\"");
        for letter in text.chars() {
            if escapes == 2 || (escapes == 1 && self.dice.one_in(3)) {
                self.unicode(letter, &mut out);
            } else {
                self.plain(letter, &mut out);
            }
        }
        out.push('"');
        out
    }

    fn unicode(&mut self, letter: char, out: &mut String) {
        for unit in letter.encode_utf16(&mut [0; 2]) {
            let _ = if self.dice.one_in(2) {
                write!(out, "\\u{unit:04x}")
            } else {
                write!(out, "\\u{unit:04X}")
            };
        }
    }

    fn plain(&mut self, letter: char, out: &mut String) {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '/' if self.dice.one_in(2) => out.push_str("\\/"),
            letter if letter < ' ' => self.unicode(letter, out),
            letter => out.push(letter),
        }
    }

    /// A name that means nothing to anybody.
    pub fn name(&mut self) -> String {
        (0..self.dice.below(6)).map(|_| self.dice.pick(LETTERS)).collect()
    }

    /// A scalar.
    pub fn scalar(&mut self) -> String {
        match self.dice.below(7) {
            0 => self.dice.pick(&["true", "false", "null"]).to_owned(),
            1 | 2 => self.number(),
            // Half of a surrogate pair is legal JSON, although no text.
            3 if self.dice.one_in(8) => r#""\ud83d""#.to_owned(),
            3 => r#""\b\f\r\t\/ [}]{,:\" \\""#.to_owned(),
            _ => {
                let text = self.name();
                self.string(&text)
            }
        }
    }

    /// A number: of any size, with any exponent.
    pub fn number(&mut self) -> String {
        let odd = ["0", "-0", "-0.0", "1E400", "1e-400", "9007199254740993", "-1.50e+07"];
        if self.dice.one_in(2) {
            return self.dice.pick(&odd).to_owned();
        }
        let sign = self.dice.pick(&["", "-"]);
        let digits = 1 + self.dice.number() % 9;
        let more: String = (0..self.dice.below(30))
            .map(|_| self.dice.number() % 10)
            .map(|n| n.to_string())
            .collect();
        let rest = self.dice.pick(&["", ".0", ".250", "e5", "E-2", ".1e+9"]);
        format!("{sign}{digits}{more}{rest}")
    }

    /// An `id`: of every kind that is legal, as it is written.
    pub fn id(&mut self) -> String {
        let odd =
            ["0", "-1", "1.5", "1e3", "18446744073709551616", "\"\"", "-0", "9007199254740993"];
        match self.dice.below(3) {
            0 => self.dice.pick(&odd).to_owned(),
            1 => self.dice.below(1_000_000).to_string(),
            _ => {
                let text = self.name();
                self.string(&text)
            }
        }
    }

    /// Any value, nested at most this deep.
    pub fn value(&mut self, depth: usize) -> String {
        match self.dice.below(6) {
            0 if depth > 0 => self.array(depth),
            1 if depth > 0 => {
                let mut object = Object::default();
                for _ in 0..self.dice.below(4) {
                    let (name, value) = (self.name(), self.value(depth - 1));
                    object.add(self, &name, value.into());
                    if self.dice.one_in(6) {
                        // Twice: whoever reads it may take either, and nothing of ours depends on it.
                        let value = self.value(depth - 1);
                        object.add(self, &name, value.into());
                    }
                }
                object.text(self).with
            }
            _ => self.scalar(),
        }
    }

    fn array(&mut self, depth: usize) -> String {
        let items: Vec<String> = (0..self.dice.below(4))
            .map(|_| format!("{}{}{}", self.space(), self.value(depth - 1), self.space()))
            .collect();
        if items.is_empty() {
            format!("[{}]", self.space())
        } else {
            format!("[{}]", items.join(","))
        }
    }

    /// A value that is nested exactly this deep.
    pub fn nested(&mut self, depth: usize) -> String {
        let mut text = self.scalar();
        for _ in 0..depth {
            text = if self.dice.one_in(3) {
                format!(r#"{{"a":{text}}}"#)
            } else {
                format!("[{text}]")
            };
        }
        text
    }

    /// Adds members that mean nothing, some of them twice.
    pub fn noise(&mut self, object: &mut Object) {
        for _ in 0..self.dice.pick(&[0, 0, 0, 1, 2]) {
            let name = self.name();
            for _ in 0..self.dice.pick(&[1, 1, 1, 2]) {
                let value = self.value(3);
                object.add(self, &name, value.into());
            }
        }
    }
}
