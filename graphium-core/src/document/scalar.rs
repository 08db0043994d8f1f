//! Single values: texts with their variables, numbers, words, units.

use super::{
    code::Code,
    node::Node,
    object::Object,
    reader::Reader,
    schema::{Choice, Kind},
    suggest, units,
    variables::{self, Mistake},
};
use json_syntax::Value;
use serde::de::{DeserializeOwned, IntoDeserializer, value::Error as ValueError};
use std::{borrow::Cow, time::Duration};

impl Reader<'_> {
    /// A string with its variables filled in. Numbers and flags are read as text in older documents.
    pub(super) fn text(&mut self, node: Node<'_>) -> Option<String> {
        match node.value() {
            Value::String(text) => self.fill(node, text.as_str()).map(Cow::into_owned),
            Value::Number(number) => {
                let text = number.as_str();
                self.older_form(node, "a number where a string is expected", format!("write \"{text}\""))
                    .then(|| text.to_owned())
            }
            Value::Boolean(flag) => self
                .older_form(node, "a flag where a string is expected", format!("write \"{flag}\""))
                .then(|| flag.to_string()),
            _ => {
                self.wrong_type(node, "a string", "");
                None
            }
        }
    }

    /// The text of a field.
    pub(super) fn text_of(&mut self, object: &Object<'_>, name: &str) -> Option<String> {
        let node = object.get(name)?;
        self.text(node)
    }

    /// Fills in variables; each that is missing is an error of its own.
    pub(super) fn fill<'t>(&mut self, node: Node<'_>, text: &'t str) -> Option<Cow<'t, str>> {
        if !variables::occurs_in(text) {
            return Some(Cow::Borrowed(text));
        }
        match variables::fill(text, self.environment.variables) {
            Ok(filled) => {
                self.filled += filled.len();
                if self.filled > super::guard::MAX_BYTES {
                    let message = "filling in its variables makes the document larger than 8 MiB";
                    self.error(Code::TooLarge, node, message, "");
                    return None;
                }
                if filled.contains('\0') {
                    self.error(Code::NulCharacter, node, "a variable brings in a NUL character", "");
                    return None;
                }
                Some(Cow::Owned(filled))
            }
            Err(mistakes) => {
                for mistake in mistakes {
                    self.variable_mistake(node, mistake);
                }
                None
            }
        }
    }

    fn variable_mistake(&mut self, node: Node<'_>, mistake: Mistake) {
        match mistake {
            Mistake::Unset { name, message } => {
                let why = message.map(|message| format!(": {message}")).unwrap_or_default();
                let help =
                    format!("set `{name}`, write `${{{name}:-default}}`, or `$${{{name}}}` to keep the text as it is");
                self.error(Code::UnsetVariable, node, format!("the variable `{name}` is not set{why}"), help);
            }
            Mistake::Empty { name, message } => {
                let why = message.map(|message| format!(": {message}")).unwrap_or_default();
                let help = format!("give `{name}` a value, or write `${{{name}}}` where it may be empty");
                self.error(Code::UnsetVariable, node, format!("the variable `{name}` is empty{why}"), help);
            }
            Mistake::Malformed(text) => {
                let help = "use `${NAME}`, `${NAME:-default}` or `${NAME:?message}`; `$$` is a plain `$`";
                self.error(Code::BadVariable, node, format!("`{text}` cannot be read as a variable"), help);
            }
        }
    }

    /// The text of a number: a number, or a string that holds one where a variable or an older document makes it so.
    fn numeral<'d>(&mut self, node: Node<'d>, expected: &str) -> Option<Cow<'d, str>> {
        match node.value() {
            Value::Number(number) => Some(Cow::Borrowed(number.as_str())),
            Value::String(text) => {
                let filled = self.fill(node, text.as_str())?;
                let own = matches!(filled, Cow::Borrowed(_));
                if filled.parse::<f64>().is_err() {
                    let help = match own {
                        true => "write digits without quotes",
                        false => "its variables must make a number of it",
                    };
                    self.wrong_type(node, expected, help);
                    return None;
                }
                let help = format!("write {filled} without quotes");
                (!own || self.older_form(node, "a number in quotes", help)).then_some(filled)
            }
            _ => {
                self.wrong_type(node, expected, "");
                None
            }
        }
    }

    /// A whole number within the bounds of the field's kind.
    pub(super) fn integer_of<T: TryFrom<i64>>(&mut self, object: &Object<'_>, name: &str) -> Option<T> {
        let node = object.get(name)?;
        let (min, max) = match object.place.field(name).map(|field| field.kind) {
            Some(Kind::Integer { min, max }) => (min, max),
            _ => (i64::MIN, i64::MAX),
        };
        self.integer(node, min, max)
    }

    /// A whole number within bounds.
    pub(super) fn integer<T: TryFrom<i64>>(&mut self, node: Node<'_>, min: i64, max: i64) -> Option<T> {
        let text = self.numeral(node, "a whole number")?;
        match text.parse::<i64>() {
            Ok(number) if (min..=max).contains(&number) => T::try_from(number).ok(),
            _ => {
                let message =
                    format!("`{}` is not a whole number of at least {min} and at most {max}", node.quote(&text));
                self.error(Code::BadNumber, node, message, "");
                None
            }
        }
    }

    /// A number that is not negative.
    pub(super) fn number(&mut self, node: Node<'_>) -> Option<f64> {
        let text = self.numeral(node, "a number")?;
        match text.parse::<f64>() {
            Ok(number) if number.is_finite() && number >= 0.0 => Some(number),
            _ => {
                self.error(Code::BadNumber, node, format!("`{}` is negative or no number", node.quote(&text)), "");
                None
            }
        }
    }

    pub(super) fn number_of(&mut self, object: &Object<'_>, name: &str) -> Option<f64> {
        let node = object.get(name)?;
        self.number(node)
    }

    /// A port, 1 to 65535.
    pub(super) fn port(&mut self, node: Node<'_>) -> Option<u16> {
        let text = self.numeral(node, "a port number")?;
        let port = text.parse::<u16>().ok().filter(|port| *port > 0);
        if port.is_none() {
            let help = match text.as_ref() {
                "0" => "leave `hostPort` out to let the engine choose one",
                _ => "ports are 1 to 65535",
            };
            self.error(Code::BadPort, node, format!("`{}` is no port", node.quote(&text)), help);
        }
        port
    }

    pub(super) fn port_of(&mut self, object: &Object<'_>, name: &str) -> Option<u16> {
        let node = object.get(name)?;
        self.port(node)
    }

    /// True or false.
    pub(super) fn flag_of(&mut self, object: &Object<'_>, name: &str) -> Option<bool> {
        let node = object.get(name)?;
        match node.value() {
            Value::Boolean(flag) => return Some(*flag),
            Value::String(text) => {
                let filled = self.fill(node, text.as_str())?;
                if let Some(flag) = ["false", "true"].iter().position(|word| filled.eq_ignore_ascii_case(word)) {
                    let own = matches!(filled, Cow::Borrowed(_));
                    let help = format!("write {} without quotes", flag == 1);
                    return (!own || self.older_form(node, "a flag in quotes", help)).then_some(flag == 1);
                }
            }
            _ => {}
        }
        self.wrong_type(node, "true or false", "");
        None
    }

    /// Bytes.
    pub(super) fn size(&mut self, node: Node<'_>) -> Option<u64> {
        let text = match node.value() {
            Value::Number(number) => Cow::Borrowed(number.as_str()),
            Value::String(text) => self.fill(node, text.as_str())?,
            _ => {
                self.wrong_type(node, "a size", "write bytes, or a string as in \"512M\"");
                return None;
            }
        };
        // The engine counts in 63 bits.
        let bytes = units::size(&text).filter(|bytes| i64::try_from(*bytes).is_ok());
        if bytes.is_none() {
            let help = "write bytes, or a number with K, M, G or T as in \"512M\"";
            self.error(Code::BadSize, node, format!("`{}` is no size", node.quote(&text)), help);
        }
        bytes
    }

    pub(super) fn size_of(&mut self, object: &Object<'_>, name: &str) -> Option<u64> {
        let node = object.get(name)?;
        self.size(node)
    }

    /// Seconds as a number, or a string with units.
    pub(super) fn duration_of(&mut self, object: &Object<'_>, name: &str) -> Option<Duration> {
        let node = object.get(name)?;
        let (text, time) = match node.value() {
            Value::Number(number) => {
                let text = number.as_str();
                (Cow::Borrowed(text), text.parse().ok().and_then(units::bounded))
            }
            Value::String(text) => {
                let text = self.fill(node, text.as_str())?;
                let time = units::duration(&text);
                (text, time)
            }
            _ => {
                self.wrong_type(node, "a duration", "write seconds, or a string as in \"1m30s\"");
                return None;
            }
        };
        if time.is_none() {
            let help = "write seconds, or units as in \"1m30s\"; a year at most";
            self.error(Code::BadDuration, node, format!("`{}` is no duration", node.quote(&text)), help);
        }
        time
    }

    /// One of the words of the field's kind.
    pub(super) fn choice_of<T: DeserializeOwned>(&mut self, object: &Object<'_>, name: &str) -> Option<T> {
        let node = object.get(name)?;
        let word = self.word_of(object, name)?;
        let value: Result<T, ValueError> = T::deserialize(word.into_deserializer());
        if value.is_err() {
            self.unknown_word(node, word, &[]);
        }
        value.ok()
    }

    /// The same, as the canonical word.
    pub(super) fn word_of(&mut self, object: &Object<'_>, name: &str) -> Option<&'static str> {
        let node = object.get(name)?;
        let Some(Kind::Choice(choices)) = object.place.field(name).map(|field| field.kind) else { return None };
        let Some(written) = node.as_str() else {
            self.wrong_type(node, "a string", &format!("one of {}", words(choices)));
            return None;
        };
        let text = self.fill(node, written)?;
        if let Some(choice) = choices.iter().find(|choice| choice.word == text) {
            return Some(choice.word);
        }
        match choices.iter().find(|choice| choice.is_spelt(&text)) {
            Some(choice) if self.is_legacy() => {
                let message = format!("`{}` is spelt `{}`", node.quote(&text), choice.word);
                self.findings.add(Code::Alias, node, message, None);
                Some(choice.word)
            }
            Some(choice) => {
                self.error(
                    Code::UnknownValue,
                    node,
                    format!("`{}` means nothing to `{name}`", node.quote(&text)),
                    format!("it is spelt `{}`", choice.word),
                );
                None
            }
            None => {
                self.unknown_word(node, &text, choices);
                None
            }
        }
    }

    fn unknown_word(&mut self, node: Node<'_>, text: &str, choices: &'static [Choice]) {
        let near = suggest::nearest(text, choices.iter().map(|choice| choice.word));
        let near = near.map(|near| format!("did you mean `{near}`? ")).unwrap_or_default();
        self.error(
            Code::UnknownValue,
            node,
            format!("`{}` is none of the words that this takes", node.quote(text)),
            format!("{near}one of {}", words(choices)),
        );
    }
}

fn words(choices: &'static [Choice]) -> String {
    suggest::list(choices.iter().map(|choice| choice.word))
}
