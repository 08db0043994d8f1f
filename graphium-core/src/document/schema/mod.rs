//! What a stack document may say, as data: per place its keys, their other spellings, the kind of their values.
//!
//! The reader looks keys up here and nowhere else; suggestions, the formatter and the JSON Schema come from here too.

mod container;
mod mount;
mod parts;
mod stack;

pub(super) use container::{CONTAINER, DEPENDENCY, DEVICE, ENV_SOURCE, ENV_VAR, LOGGING, PORT, PROPERTY_VALUE, ULIMIT};
pub(super) use mount::MOUNT;
#[cfg(test)]
pub(super) use mount::{BIND_OPTIONS, TMPFS_OPTIONS, VOLUME_OPTIONS};
#[cfg(test)]
pub(super) use parts::LIMITS;
pub(super) use parts::{
    HEALTH_CHECK, REQUIREMENTS, REQUIREMENTS_TODAY, RESERVATIONS, RESOURCE_REQUIREMENTS, RESOURCES,
};
pub(super) use stack::{
    DEPLOYMENT, DOCUMENT, ENVELOPE, HOST, HOST_CONSTRAINT, LIST_ITEM, NAMED, NETWORK, RACK, REFERENCE, STACK, UPDATE,
    VOLUME,
};

/// A kind of object in a document.
pub(super) struct Place {
    /// For messages, with its article: `a container`.
    pub(super) what: &'static str,
    /// Its keys by their canonical names.
    pub(super) fields: &'static [Field],
    /// What it needs beside the keys that are needed by themselves.
    pub(super) needs: Needs,
    /// Other spellings.
    pub(super) aliases: &'static [Alias],
    /// Keys that people try here, and what to do instead.
    pub(super) advice: &'static [(&'static str, &'static str)],
}

/// A key at a place.
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// For people, in a line.
    pub(super) doc: &'static str,
    /// Whether nothing goes without it.
    pub(super) needed: bool,
    /// For keys of older documents that no other key can take the place of alone: what says the same now.
    pub(super) older: Option<&'static str>,
}

/// Which of several keys a place needs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Needs {
    Nothing,
    /// Exactly one of these.
    One(&'static [&'static str]),
    /// At least one of these.
    Any(&'static [&'static str]),
}

/// Another spelling of a key.
pub(super) struct Alias {
    pub(super) key: &'static str,
    /// The canonical name: a field of the same place, or a path below it.
    pub(super) field: &'static str,
    pub(super) origin: Origin,
}

/// Where a spelling comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// Older documents: read in the legacy profile, with a note.
    Legacy,
    /// Compose files: refused, with our name.
    Compose,
}

/// What a value may be.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    /// A string.
    Text,
    /// A string that has a shape.
    Shaped(Shape),
    /// True or false.
    Flag,
    /// A whole number.
    Integer { min: i64, max: i64 },
    /// A number that is not negative.
    Number,
    /// Bytes, or a string with a unit.
    Size,
    /// The same, or -1 for no limit.
    SizeOrUnlimited,
    /// Seconds, or a string with units.
    Duration,
    /// 1 to 65535.
    Port,
    /// One of a few words.
    Choice(&'static [Choice]),
    /// An object of strings.
    TextMap,
    /// An array of strings.
    TextList,
    /// A command: an array of strings; in older documents a string too.
    Words,
    /// A string, or an object with `@id`.
    Reference,
    /// An object of that place.
    Object(&'static Place),
    /// An array of objects of that place; several spellings of it add up.
    List(&'static Place),
    /// Has several forms and a reader of its own.
    Forms(Form),
    /// Accepted, without effect, with a note.
    Ignored,
    /// A keyword of JSON-LD or something as structural; accepted without a word.
    Structure,
}

/// What a text must look like.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// A name that an engine takes, or one that can be made of it.
    Name,
    /// A reference of an image.
    Image,
    /// An absolute path.
    Path,
    /// An IP address.
    Address,
    /// A range of IP addresses.
    Range,
    /// A restart policy.
    Policy,
}

/// What has several forms.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Containers that come first: names, or objects with `@id` and `condition`.
    Dependencies,
    /// Names of what is outside of the document, or objects with `@id` or `name`.
    Names,
    /// Ports, as numbers or as text with a protocol.
    Exposed,
    /// Names and addresses: an object, or an array of `name:address`.
    Addresses,
    /// Limits of the kernel: an array of objects, or an object of numbers.
    Ulimits,
    /// Devices: objects, or `host:container:permissions`.
    Devices,
    /// A number, or `all`.
    Gpus,
    /// Mode bits: a number, or octal digits.
    Mode,
    /// The command of a health check: an array of strings, or one string.
    Check,
}

/// A word that a [`Kind::Choice`] takes.
pub(super) struct Choice {
    pub(super) word: &'static str,
    /// Other spellings in older documents; case never matters there.
    pub(super) aliases: &'static [&'static str],
    /// Whether it is a word to use; others are there to be refused with a reason.
    pub(super) offered: bool,
}

impl Kind {
    /// Whether several spellings of one field add up to one list or map.
    pub(super) fn adds_up(self) -> bool {
        match self {
            Self::List(_) | Self::TextMap | Self::TextList | Self::Ignored | Self::Structure => true,
            Self::Forms(form) => !matches!(form, Form::Addresses | Form::Gpus | Form::Mode | Form::Check),
            _ => false,
        }
    }
}

impl Place {
    /// The field that a canonical name stands for.
    pub(super) fn field(&self, name: &str) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// The kind of a field, by its canonical name or the path to it.
    pub(super) fn kind_at(&self, path: &str) -> Option<Kind> {
        let Some((above, rest)) = path.split_once('.') else { return self.field(path).map(|field| field.kind) };
        match self.field(above)?.kind {
            Kind::Object(below) => below.kind_at(rest),
            _ => None,
        }
    }

    /// The alias with this spelling.
    pub(super) fn alias(&self, key: &str) -> Option<&'static Alias> {
        self.aliases.iter().find(|alias| alias.key == key)
    }

    /// Where below this place a key is at home: `resources.limits.cpus`.
    pub(super) fn home_of(&self, key: &str) -> Option<String> {
        self.search(key, 3)
    }

    fn search(&self, key: &str, depth: usize) -> Option<String> {
        if depth == 0 {
            return None;
        }
        self.fields.iter().find_map(|field| {
            let (Kind::Object(below) | Kind::List(below)) = field.kind else { return None };
            let direct = below.field(key).map(|field| field.name).or_else(|| below.alias(key).map(|alias| alias.field));
            let path = direct.map(str::to_owned).or_else(|| below.search(key, depth - 1))?;
            Some(format!("{}.{path}", field.name))
        })
    }
}

const fn field(name: &'static str, kind: Kind, doc: &'static str) -> Field {
    Field { name, kind, doc, needed: false, older: None }
}

const fn needed(name: &'static str, kind: Kind, doc: &'static str) -> Field {
    Field { name, kind, doc, needed: true, older: None }
}

const fn older(name: &'static str, kind: Kind, instead: &'static str, doc: &'static str) -> Field {
    Field { name, kind, doc, needed: false, older: Some(instead) }
}

const fn legacy(key: &'static str, field: &'static str) -> Alias {
    Alias { key, field, origin: Origin::Legacy }
}

const fn compose(key: &'static str, field: &'static str) -> Alias {
    Alias { key, field, origin: Origin::Compose }
}

const fn word(word: &'static str) -> Choice {
    spelt(word, &[])
}

const fn spelt(word: &'static str, aliases: &'static [&'static str]) -> Choice {
    Choice { word, aliases, offered: true }
}

const fn refused(word: &'static str) -> Choice {
    Choice { word, aliases: &[], offered: false }
}

const ANY: Kind = Kind::Integer { min: i64::MIN, max: i64::MAX };
const COUNT: Kind = Kind::Integer { min: 0, max: u32::MAX as i64 };
const POSITIVE: Kind = Kind::Integer { min: 1, max: u32::MAX as i64 };

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) const PLACES: &[&Place] = &[
        &BIND_OPTIONS,
        &CONTAINER,
        &DEPENDENCY,
        &DEPLOYMENT,
        &DEVICE,
        &DOCUMENT,
        &ENVELOPE,
        &ENV_SOURCE,
        &ENV_VAR,
        &HEALTH_CHECK,
        &HOST,
        &HOST_CONSTRAINT,
        &LIMITS,
        &LIST_ITEM,
        &LOGGING,
        &MOUNT,
        &NAMED,
        &NETWORK,
        &PORT,
        &PROPERTY_VALUE,
        &RACK,
        &REFERENCE,
        &REQUIREMENTS,
        &RESERVATIONS,
        &RESOURCES,
        &RESOURCE_REQUIREMENTS,
        &STACK,
        &TMPFS_OPTIONS,
        &ULIMIT,
        &UPDATE,
        &VOLUME,
        &VOLUME_OPTIONS,
    ];

    #[test]
    fn no_key_has_two_meanings_at_one_place() {
        for place in PLACES {
            let mut keys: Vec<&str> = place.fields.iter().map(|field| field.name).collect();
            keys.extend(place.aliases.iter().map(|alias| alias.key));
            keys.extend(place.advice.iter().map(|(key, _)| *key));
            let all = keys.len();
            keys.sort_unstable();
            keys.dedup();
            assert_eq!(keys.len(), all, "{}", place.what);
        }
    }

    #[test]
    fn a_legacy_alias_leads_to_something_that_is_read() {
        for place in PLACES {
            for alias in place.aliases.iter().filter(|alias| alias.origin == Origin::Legacy) {
                let mut at: Option<&Place> = Some(place);
                for step in alias.field.split('.') {
                    let field = at.and_then(|place| place.field(step));
                    assert!(field.is_some(), "{}: {} → {}", place.what, alias.key, alias.field);
                    at = match field.map(|field| field.kind) {
                        Some(Kind::Object(below) | Kind::List(below)) => Some(below),
                        _ => None,
                    };
                }
            }
        }
    }

    #[test]
    fn a_key_of_a_deeper_place_is_found() {
        assert_eq!(CONTAINER.home_of("cpus").as_deref(), Some("resources.limits.cpus"));
        assert_eq!(RESOURCES.home_of("pids").as_deref(), Some("limits.pids"));
        assert_eq!(CONTAINER.home_of("nothing"), None);
    }
}
